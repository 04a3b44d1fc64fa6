"""``GET /api/upload/status/{uploadId}``."""

import httpx
import pytest

from coordinator.settings import Settings
from tests.web.driving import CHUNK, JOB_ID, TIME, completed, opened, root_of, sent, signed

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


async def test_an_open_upload_shows_all_its_fields(client: httpx.AsyncClient) -> None:
    """Every field is always there, null where nothing is known."""
    metadata = {"purpose": "training", "schema": "auto-detect", "nested": {"a": [1, None]}}
    upload_id = await opened(client, 2 * CHUNK + 5, metadata=metadata)
    await signed(client, upload_id, {0: b"x" * CHUNK})
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0})

    answer = await client.get(f"/api/upload/status/{upload_id}")

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "uploadId": upload_id,
            "userId": "alice",
            "fileName": "data.jsonl",
            "fileSize": 2 * CHUNK + 5,
            "fileType": "application/jsonl",
            "detectedType": None,
            "chunkSize": CHUNK,
            "totalChunks": 3,
            "uploadedChunks": 1,
            "missingChunks": [1, 2],
            "failedChunks": [],
            "progress": {"uploaded": 1, "total": 3, "percentage": 33.33},
            "status": "UPLOADING",
            "reason": None,
            "checksum": None,
            "metadata": metadata,
            "autoComplete": False,
            "onHold": False,
            "createdAt": TIME,
            "updatedAt": TIME,
            "expiresAt": TIME,
            "filePath": None,
            "aiPipeline": {"status": "none", "estimatedTime": None, "jobs": []},
        },
    )


async def test_a_completed_upload_shows_its_object_and_jobs(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, settings: Settings, tenant: str
) -> None:
    """`filePath` comes with COMPLETED: before, nothing is proven."""
    checksum = f"sha256-tree:{root_of([b'abc'])}"
    upload_id = await completed(client, s3_http, b"abc", checksum=checksum)

    answer = (await client.get(f"/api/upload/status/{upload_id}")).json()

    shown = {
        "status": "COMPLETED",
        "uploadedChunks": 1,
        "missingChunks": [],
        "progress": {"uploaded": 1, "total": 1, "percentage": 100.0},
        "checksum": checksum,
        "filePath": f"{settings.s3_prefix}/{tenant}/{upload_id}/data.jsonl",
        "aiPipeline": {
            "status": "initiated",
            "estimatedTime": None,
            "jobs": [{"jobId": JOB_ID, "kind": "generate_metadata", "status": "queued"}],
        },
    }
    assert {key: answer[key] for key in shown} == shown


async def test_verify_asks_s3_and_repairs_the_ledger(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """A client reported a chunk that never arrived, and not the one that did."""
    upload_id = await opened(client, 2 * CHUNK)
    await sent(client, s3_http, upload_id, {0: b"x" * CHUNK})
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 1})
    path = f"/api/upload/status/{upload_id}"

    answers = [
        (await client.get(path, params=params)).json()["missingChunks"]
        for params in ({}, {"verify": "true"}, {})
    ]

    assert answers == [[0], [1], [1]]


async def test_a_name_in_any_script_is_kept_and_its_key_is_clean(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, settings: Settings, tenant: str
) -> None:
    """People see the name they gave; S3 sees ASCII."""
    upload_id = await completed(client, s3_http, b"abc", fileName="Müller & Söhne 数据.jsonl")

    answer = (await client.get(f"/api/upload/status/{upload_id}")).json()

    assert (answer["fileName"], answer["filePath"]) == (
        "Müller & Söhne 数据.jsonl",
        f"{settings.s3_prefix}/{tenant}/{upload_id}/Muller-Sohne.jsonl",
    )
