"""What may be fetched of an upload, after what its scan for personal data was told, and found."""

import hashlib
from typing import Any

import httpx
import pytest

from coordinator.adapters import jobs
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import DownloadBlockedError, UploadNotFoundError
from coordinator.domain.kinds import Kind
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.builders import complete, rows, send_all, uuid_of
from tests.conftest import MakeKey, client_of
from tests.web.driving import NO_UPLOAD, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_MAIL = "ada@example.org"
_ROWS = b'{"n": 1, "mail": "%b"}\n{"n": 2, "mail": null}\n' % _MAIL.encode()


async def _scanned(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, policy: str, body: bytes = _ROWS
) -> str:
    upload_id = await send_all(
        client,
        s3_http,
        [body],
        fileName="people.jsonl",
        fileType="application/jsonl",
        metadata={"purpose": "retrieval", "jobs": {"scan_pii": {"policy": policy}}},
    )
    assert (await complete(client, upload_id)).status_code == 200
    return upload_id


async def _run(stores: Stores, settings: Settings, upload_id: str, kind: Kind) -> dict[str, Any]:
    [row] = await rows(
        stores.pool,
        "SELECT id FROM jobs WHERE upload_id = %s AND kind = %s",
        [uuid_of(upload_id), kind],
    )
    await run_job(stores, settings, row["id"])
    async with stores.pool.connection() as conn:
        job = await jobs.read(conn, row["id"])
    assert job is not None
    assert job.state == "succeeded", job.error_code
    return job.result or {}


async def _address(client: httpx.AsyncClient, upload_id: str) -> httpx.Response:
    headers = {"Accept": "application/json"}
    return await client.get(f"/api/uploads/{upload_id}/download", headers=headers)


async def test_a_redacted_copy_takes_the_place_of_the_object(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """Nothing is given before the scan has ended; then the copy, with a manifest of its own."""
    upload_id = await _scanned(client, s3_http, "redact")
    before = await _address(client, upload_id)

    await _run(stores, settings, upload_id, Kind.SCAN_PII)
    answer = (await _address(client, upload_id)).json()
    body = (await s3_http.get(answer["url"])).content
    manifest = await client.get(f"/api/uploads/{upload_id}/manifest", params={"of": "download"})
    original = await client.get(f"/api/uploads/{upload_id}/manifest")

    assert before.json() == problem(DownloadBlockedError, reason="scan-pending")
    assert _MAIL.encode() not in body
    assert body.count(b"\n") == 2
    assert (answer["isRedacted"], answer["fileSize"]) == (True, len(body))
    assert manifest.json()["sha256"] == hashlib.sha256(body).hexdigest()
    assert original.json()["sha256"] == hashlib.sha256(_ROWS).hexdigest()


async def test_a_policy_that_blocks_lets_nothing_out_that_was_found(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """And everything where nothing was."""
    bad = await _scanned(client, s3_http, "block")
    good = await _scanned(client, s3_http, "block", b'{"n": 1}\n')

    for upload_id in (bad, good):
        await _run(stores, settings, upload_id, Kind.SCAN_PII)
    answers = [await _address(client, upload_id) for upload_id in (bad, good)]

    assert answers[0].json() == problem(DownloadBlockedError, reason="pii-found")
    assert (answers[1].status_code, answers[1].json()["isRedacted"]) == (200, False)


async def test_a_report_keeps_nothing_in(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """It only says what it finds, whenever it ends."""
    upload_id = await _scanned(client, s3_http, "report")

    answer = await _address(client, upload_id)

    assert (answer.status_code, answer.json()["fileName"]) == (200, "people.jsonl")


async def test_what_jobs_made_is_listed_with_an_address(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """Each can be fetched as it was made; the redacted upload's card tells of the copy."""
    upload_id = await _scanned(client, s3_http, "redact")
    empty = (await client.get(f"/api/uploads/{upload_id}/artifacts")).json()
    await _run(stores, settings, upload_id, Kind.SCAN_PII)
    await _run(stores, settings, upload_id, Kind.GENERATE_METADATA)

    listed = (await client.get(f"/api/uploads/{upload_id}/artifacts")).json()["artifacts"]
    bodies = [(await s3_http.get(each["url"])).content for each in listed]

    assert empty == {"uploadId": upload_id, "artifacts": []}
    assert {each["kind"] for each in listed} == {"scan_pii", "generate_metadata"}
    assert [each["sha256"] for each in listed] == [
        hashlib.sha256(body).hexdigest() for body in bodies
    ]
    assert [each["size"] for each in listed] == [len(body) for body in bodies]
    assert not any(_MAIL.encode() in body for body in bodies)


async def test_what_a_foreign_upload_s_jobs_made_is_nobody_s_to_see(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, app: Any, make_key: MakeKey
) -> None:
    """Unknown and foreign look the same."""
    upload_id = await _scanned(client, s3_http, "report")
    stranger = await make_key(user="mallory", tenant="elsewhere")

    async with client_of(app, stranger) as other:
        told = [
            (await other.get(f"/api/uploads/{each}/artifacts")).json()
            for each in (upload_id, NO_UPLOAD)
        ]

    assert told == [problem(UploadNotFoundError, field="uploadId")] * 2
