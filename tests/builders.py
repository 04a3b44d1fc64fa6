"""What many tests need: bytes, chunks, and an upload as a client makes it, step by step."""

import asyncio
import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

import httpx
from psycopg import sql

import manifests
from coordinator.adapters import uploads
from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.postgres import Pool, Tx, transaction
from coordinator.adapters.uploads import NewUpload
from coordinator.domain import ids
from coordinator.domain.uploads import Upload

MIB: Final = 1024 * 1024
SMALLEST: Final = 5 * MIB  # S3's smallest part but the last


@cache
def some_bytes(size: int, seed: int = 0) -> bytes:
    """Return bytes that look random and are the same in every run."""
    return random.Random(seed).randbytes(size)


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut a file into chunks; an empty file is one empty chunk."""
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


def tree(chunks: Iterable[bytes]) -> str:
    """Return the checksum of chunks as a client declares it."""
    digests = b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)
    return manifests.CHECKSUM_PREFIX + manifests.root(digests)


def uuid_of(upload_id: str) -> UUID:
    """Return the row's id."""
    found = ids.decode(ids.UPLOAD, upload_id)
    assert found is not None
    return found


async def open_upload(
    client: httpx.AsyncClient, size: int, *, chunk_size: int | None = None, **fields: Any
) -> str:
    """Open an upload of ``size`` bytes and return its id."""
    body = {"fileName": "data.bin", "fileSize": size, "fileType": "", **fields}
    if chunk_size is not None:
        body["chunkSize"] = chunk_size
    answer = await client.post("/api/upload/init", json=body)
    assert answer.status_code == 201, answer.text
    upload_id: str = answer.json()["uploadId"]
    return upload_id


async def ask_urls(
    client: httpx.AsyncClient, upload_id: str, chunks: Mapping[int, bytes], *, force: bool = False
) -> httpx.Response:
    """Ask for the URLs of chunks, by index."""
    asked = [
        {"chunkIndex": index, "sha256": hashlib.sha256(chunk).hexdigest()}
        for index, chunk in chunks.items()
    ]
    body = {"uploadId": upload_id, "chunks": asked, "force": force}
    return await client.post("/api/upload/urls", json=body)


async def sign(
    client: httpx.AsyncClient, upload_id: str, chunks: Mapping[int, bytes]
) -> list[dict[str, Any]]:
    """Ask for URLs, the ledger's opinion aside, and expect them."""
    answer = await ask_urls(client, upload_id, chunks, force=True)
    assert answer.status_code == 200, answer.text
    signed: list[dict[str, Any]] = answer.json()["chunks"]
    return signed


async def put(s3_http: httpx.AsyncClient, signed: Mapping[str, Any], body: bytes) -> httpx.Response:
    """Send a chunk as a client would."""
    return await s3_http.put(signed["url"], content=body, headers=signed["headers"])


async def send(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    upload_id: str,
    chunks: Mapping[int, bytes],
) -> None:
    """Sign and send chunks, by index, and expect that S3 takes them."""
    signed = await sign(client, upload_id, chunks)
    puts = [put(s3_http, each, chunks[each["chunkIndex"]]) for each in signed]
    answers = await asyncio.gather(*puts)
    assert [each.status_code for each in answers] == [200] * len(chunks)


async def send_all(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    chunks: Sequence[bytes],
    **fields: Any,
) -> str:
    """Open an upload and send all its chunks, ready to be completed; return its id."""
    size = sum(map(len, chunks))
    chunk_size = len(chunks[0]) if len(chunks) > 1 else None
    upload_id = await open_upload(client, size, chunk_size=chunk_size, **fields)
    await send(client, s3_http, upload_id, dict(enumerate(chunks)))
    return upload_id


async def complete(client: httpx.AsyncClient, upload_id: str, **fields: Any) -> httpx.Response:
    """Ask for completion."""
    return await client.post("/api/upload/complete", json={"uploadId": upload_id, **fields})


async def status(client: httpx.AsyncClient, upload_id: str) -> dict[str, Any]:
    """Read the status."""
    answer = await client.get(f"/api/upload/status/{upload_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def row_of(pool: Pool, upload_id: str | UUID) -> Upload:
    """Read the row behind an upload."""
    wanted = uuid_of(upload_id) if isinstance(upload_id, str) else upload_id
    async with transaction(pool) as tx:
        return await uploads.read_any(tx, wanted)


async def rows(pool: Pool, query: Any, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Read rows by a query of the test's own."""
    async with pool.connection() as conn:
        return await (await conn.execute(query, values)).fetchall()


async def until_waiting(pool: Pool, waiter: Tx) -> None:
    """Return once ``waiter`` waits for a lock that another transaction holds."""
    waits = sql.SQL("cardinality(pg_blocking_pids({})) > 0")
    await _until(pool, waits.format(waiter.info.backend_pid))


async def until_blocking(pool: Pool, holder: Tx) -> None:
    """Return once another transaction waits for a lock that ``holder`` holds."""
    blocks = sql.SQL(
        "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND {} = ANY (pg_blocking_pids(pid)))"
    )
    await _until(pool, blocks.format(holder.info.backend_pid))


async def _until(pool: Pool, condition: sql.Composed) -> None:
    loop = sql.SQL("""
    DO $$ BEGIN
      WHILE NOT ({}) LOOP PERFORM pg_sleep(0.005); END LOOP;
    END $$
    """)
    async with pool.connection() as conn:
        await conn.execute(loop.format(condition))


def a_new_upload(**changes: Any) -> NewUpload:
    """Make a row that is not in the table yet: ten chunks of ten bytes, unless told."""
    upload_id = new_uuid()
    usual: dict[str, Any] = {
        "id": upload_id,
        "tenant": "default",
        "user_id": "alice",
        "bucket": "datasets",
        "region": "us-east-1",
        "object_key": f"datasets/default/{upload_id}/data.bin",
        "file_name": "data.bin",
        "file_type": "application/octet-stream",
        "size_bytes": 100,
        "chunk_bytes": 10,
        "checksum": None,
        "declared_sha256": None,
        "declared_root": None,
        "metadata": {},
        "token": "ours",
        "auto_complete": False,
        "lifetime": timedelta(days=7),
    }
    return NewUpload(**{**usual, **changes})


async def add_upload(pool: Pool, **changes: Any) -> Upload:
    """Insert a row without S3 knowing of it."""
    async with transaction(pool) as tx:
        upload = await uploads.insert(tx, a_new_upload(**changes))
    assert upload is not None
    return upload
