"""Completion in its normal course, on both S3 servers: proven, then everything in one step."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

import manifests
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.jobs import job_id
from coordinator.domain.kinds import Kind
from coordinator.domain.names import manifest_key
from coordinator.domain.phases import Phase
from coordinator.settings import Settings
from tests.builders import (
    MIB,
    SMALLEST,
    complete,
    cut,
    open_upload,
    row_of,
    rows,
    send,
    send_all,
    some_bytes,
    status,
    tree,
    uuid_of,
)


def _answer(settings: Settings, upload_id: str, chunks: list[bytes]) -> dict[str, Any]:
    key = f"{settings.s3_prefix}/default/{upload_id}/data.bin"
    job = ids.encode(ids.JOB, job_id(uuid_of(upload_id), Kind.GENERATE_METADATA, {}))
    checksum = tree(chunks)
    return {
        "uploadId": upload_id,
        "status": "completed",
        "filePath": key,
        "location": f"s3://{settings.s3_bucket}/{key}",
        "message": "Upload completed successfully, AI processing initiated",
        "manifest": {
            "root": checksum.removeprefix("sha256-tree:"),
            "chunks": len(chunks),
            "checksum": checksum,
        },
        "aiPipeline": {
            "status": "initiated",
            "estimatedTime": None,
            "jobs": [{"jobId": job, "kind": "generate_metadata", "status": "queued"}],
        },
    }


async def _written(stores: Stores, upload_id: str) -> dict[str, Any]:
    """Count what completion writes in its one transaction, and what it takes away."""
    wanted = uuid_of(upload_id)
    query = """
    SELECT (SELECT count(*) FROM jobs WHERE upload_id = %(id)s) AS jobs,
           (SELECT count(*) FROM manifests WHERE upload_id = %(id)s) AS manifests,
           (SELECT count(*) FROM signings WHERE upload_id = %(id)s) AS signings,
           (SELECT array_agg(action ORDER BY id) FROM audit WHERE upload_id = %(id)s) AS audit,
           (SELECT array_agg(args ->> 'job_id') FROM procrastinate_jobs) AS queue
    """
    async with stores.pool.connection() as conn:
        [row] = await (await conn.execute(query, {"id": wanted})).fetchall()
    return row


def _once(upload_id: str) -> dict[str, Any]:
    return {
        "jobs": 1,
        "manifests": 1,
        "signings": 0,
        "audit": ["upload.opened", "upload.completed"],
        "queue": [str(job_id(uuid_of(upload_id), Kind.GENERATE_METADATA, {}))],
    }


@pytest.mark.parametrize(
    ("size", "chunk_size"),
    [
        (0, None),
        (1, None),
        (8 * MIB, None),
        (8 * MIB + 1, None),
        (2 * SMALLEST, SMALLEST),
        (2 * SMALLEST + 7, SMALLEST),
    ],
)
async def test_a_file_of_any_size_is_completed(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    *,
    size: int,
    chunk_size: int | None,
) -> None:
    """Nothing was reported: completion asks S3 and not the client."""
    data = some_bytes(size)
    chunks = cut(data, chunk_size or 8 * MIB)
    upload_id = await open_upload(client, size, chunk_size=chunk_size)
    await send(client, s3_http, upload_id, dict(enumerate(chunks)))

    answer = await complete(client, upload_id)

    assert (answer.status_code, answer.json()) == (200, _answer(settings, upload_id, chunks))
    assert await _written(stores, upload_id) == _once(upload_id)
    download = await client.get(f"/api/uploads/{upload_id}/download")
    assert (await s3_http.get(download.headers["location"])).content == data


async def test_the_manifest_lies_beside_the_object_and_is_the_one_we_answer(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Whoever has the bucket alone can verify the object without us."""
    chunks = cut(some_bytes(SMALLEST + 9), SMALLEST)
    upload_id = await send_all(client, s3_http, chunks)
    answer = await complete(client, upload_id)

    beside = await stores.bucket.read(
        manifest_key(answer.json()["filePath"]), first=0, length=10_000
    )

    digests = b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)
    assert (await client.get(f"/api/uploads/{upload_id}/manifest")).content == beside
    assert manifests.parse(beside) == manifests.Manifest(
        file_name="data.bin", file_size=SMALLEST + 9, chunk_size=SMALLEST, digests=digests
    )


async def test_completing_again_answers_the_same_and_writes_nothing(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """The first answer may be lost on its way."""
    upload_id = await send_all(client, s3_http, [b"one chunk"])

    answers = [await complete(client, upload_id) for _ in range(3)]

    expected = _answer(settings, upload_id, [b"one chunk"])
    assert [(each.status_code, each.json()) for each in answers] == [(200, expected)] * 3
    assert await _written(stores, upload_id) == _once(upload_id)


async def test_ten_completions_at_once_have_one_effect(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """One attempt holds the lease: two calls of S3 at once can corrupt an object (LocalStack)."""
    chunks = cut(some_bytes(SMALLEST + 1), SMALLEST)
    upload_id = await send_all(client, s3_http, chunks)

    answers = await asyncio.gather(*(complete(client, upload_id) for _ in range(10)))

    done = _answer(settings, upload_id, chunks)
    busy = {
        "uploadId": upload_id,
        "status": "assembling",
        "statusUrl": f"/api/upload/status/{upload_id}",
    }
    given = [(each.status_code, each.json()) for each in answers]
    assert (200, done) in given
    assert all(each in [(200, done), (202, busy)] for each in given)
    assert await _written(stores, upload_id) == _once(upload_id)
    assert (await row_of(stores.pool, upload_id)).attempt == 1
    assert await stores.bucket.read(done["filePath"], first=0, length=6 * MIB) == b"".join(chunks)


async def test_missing_chunks_are_named_and_the_upload_is_open_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, settings: Settings
) -> None:
    """Chunk 2 was reported and never sent: S3 knows better, and the ledger learns it."""
    chunks = dict(enumerate(cut(some_bytes(2 * SMALLEST + 3), SMALLEST)))
    upload_id = await open_upload(client, 2 * SMALLEST + 3, chunk_size=SMALLEST)
    await send(client, s3_http, upload_id, {1: chunks[1]})
    reports = {"uploadId": upload_id, "chunks": [{"chunkIndex": 1}, {"chunkIndex": 2}]}
    assert (await client.post("/api/upload/chunk", json=reports)).status_code == 200

    refused = await complete(client, upload_id)
    seen = await status(client, upload_id)
    await send(client, s3_http, upload_id, {0: chunks[0], 2: chunks[2]})
    answer = await complete(client, upload_id)

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "parts-missing")
    assert problem["missingChunks"] == seen["missingChunks"] == [0, 2]
    assert (seen["status"], seen["uploadedChunks"]) == ("UPLOADING", 1)
    expected = _answer(settings, upload_id, list(chunks.values()))
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_nothing_was_sent_at_all(client: httpx.AsyncClient, stores: Stores) -> None:
    """Completing right after init is no error of ours."""
    upload_id = await open_upload(client, 10)

    refused = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["missingChunks"]) == (409, [0])
    row = await row_of(stores.pool, upload_id)
    assert (row.phase, row.intent, row.lease_until) == (Phase.UPLOADING, None, None)
    assert await rows(stores.pool, "SELECT id FROM jobs") == []
