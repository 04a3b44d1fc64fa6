"""``/api/uploads/{uploadId}/manifest``, ``/jobs`` and ``/download``."""

from urllib.parse import unquote

import httpx
import pytest

import manifests
from coordinator.domain.errors import WrongPhaseError
from tests.web.driving import (
    CHUNK,
    JOB_ID,
    TEXT,
    TIME,
    completed,
    cut,
    opened,
    problem,
    root_of,
    sha256,
    signed,
)

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_FILE = b"a" * CHUNK + b"tail"
_TEXT = {"Accept": "text/plain"}
_JSON = {"Accept": "application/json"}


async def test_the_manifest_of_a_completed_upload_can_be_checked_without_us(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """JSON of the public format, and lines for sha256sum."""
    upload_id = await completed(client, s3_http, _FILE)
    path = f"/api/uploads/{upload_id}/manifest"

    as_json, as_text = [await client.get(path, headers=each) for each in ({}, _TEXT)]

    first, second = cut(_FILE)
    assert as_json.headers["content-type"] == "application/json"
    assert as_json.json() == {
        "format": manifests.FORMAT,
        "version": 1,
        "fileName": "data.jsonl",
        "fileSize": len(_FILE),
        "chunkSize": CHUNK,
        "chunks": [sha256(first), sha256(second)],
        "root": root_of([first, second]),
    }
    assert manifests.canonical(manifests.parse(as_json.content)) == as_json.content
    assert as_text.headers["content-type"] == "text/plain; charset=utf-8"
    assert as_text.text == (
        f"{sha256(first)}  data.jsonl.00000\n{sha256(second)}  data.jsonl.00001\n"
    )


async def test_the_manifest_of_an_open_upload_shows_the_digests_fixed_so_far(
    client: httpx.AsyncClient,
) -> None:
    """A client that resumes compares them with its file before it skips a chunk."""
    upload_id = await opened(client, 2 * CHUNK + 1)
    await signed(client, upload_id, {2: b"c", 0: b"a" * CHUNK})
    path = f"/api/uploads/{upload_id}/manifest"

    as_json, as_text = [await client.get(path, headers=each) for each in ({}, _TEXT)]

    assert as_json.json() == {
        "uploadId": upload_id,
        "fileName": "data.jsonl",
        "fileSize": 2 * CHUNK + 1,
        "chunkSize": CHUNK,
        "totalChunks": 3,
        "chunks": [
            {"chunkIndex": 0, "sha256": sha256(b"a" * CHUNK)},
            {"chunkIndex": 2, "sha256": sha256(b"c")},
        ],
    }
    assert as_text.text == (
        f"{sha256(b'a' * CHUNK)}  data.jsonl.00000\n{sha256(b'c')}  data.jsonl.00002\n"
    )


async def test_an_upload_has_its_jobs_once_it_is_completed(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """None before; results are null until there are some."""
    upload_id = await opened(client, 3)
    before = await client.get(f"/api/uploads/{upload_id}/jobs")
    done_id = await completed(client, s3_http, b"abc")
    after = await client.get(f"/api/uploads/{done_id}/jobs")

    assert (before.status_code, before.json()) == (200, {"uploadId": upload_id, "jobs": []})
    assert (after.status_code, after.json()) == (
        200,
        {
            "uploadId": done_id,
            "jobs": [
                {
                    "jobId": JOB_ID,
                    "kind": "generate_metadata",
                    "status": "queued",
                    "uploadId": done_id,
                    "parameters": {},
                    "needs": [],
                    "attempt": 0,
                    "progress": None,
                    "result": None,
                    "errorCode": None,
                    "blocks": None,
                    "isCancelling": False,
                    "createdAt": TIME,
                    "startedAt": None,
                    "finishedAt": None,
                }
            ],
        },
    )


async def test_a_download_is_a_redirect_to_the_bytes(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """As an attachment under the original name, and never kept by a cache."""
    name = 'Müller "数据" 100%.jsonl'
    upload_id = await completed(client, s3_http, b"abc", fileName=name)

    answer = await client.get(f"/api/uploads/{upload_id}/download")
    object_answer = await s3_http.get(answer.headers["location"])

    assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
    assert (object_answer.status_code, object_answer.content) == (200, b"abc")
    kind, _plain, encoded = object_answer.headers["content-disposition"].split("; ")
    assert (kind, unquote(encoded)) == ("attachment", f"filename*=UTF-8''{name}")
    assert object_answer.headers["content-type"] == "application/octet-stream"


async def test_a_download_can_be_asked_for_as_json(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """For clients that must not follow a redirect with their key."""
    upload_id = await completed(client, s3_http, b"abc")

    answer = await client.get(f"/api/uploads/{upload_id}/download", headers=_JSON)

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "url": TEXT,
            "fileName": "data.jsonl",
            "fileSize": 3,
            "isRedacted": False,
            "expiresAt": TIME,
        },
    )
    assert (await s3_http.get(answer.json()["url"])).content == b"abc"


@pytest.mark.parametrize("headers", [{}, _JSON])
async def test_nothing_is_downloaded_before_it_is_proven(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """An object that is not proven is nobody's file."""
    upload_id = await opened(client, 3)

    answer = await client.get(f"/api/uploads/{upload_id}/download", headers=headers)

    assert (answer.status_code, answer.json()) == (
        409,
        problem(WrongPhaseError, phase="INIT", reason=None),
    )
