"""Signing is the hot path: one round trip to Postgres, one to Redis, none to S3."""

import tempfile
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from coordinator.adapters import uploads
from coordinator.adapters.bucket import Bucket
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.uploads import Owner
from coordinator.operations.sign_chunks import ChunkToSign, sign_chunks
from tests.builders import (
    SMALLEST,
    add_upload,
    ask_urls,
    complete,
    cut,
    open_upload,
    row_of,
    send,
    some_bytes,
)

_CHUNKS = dict(enumerate(cut(some_bytes(SMALLEST + 3), SMALLEST)))


class TestWithoutS3:
    """Nothing listens where S3 should be: whoever asked it would fail."""

    pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

    @pytest.fixture
    def environ(self, environ: dict[str, str], free_tcp_port: int) -> dict[str, str]:
        """Point the service at a port that nobody has."""
        closed = f"http://127.0.0.1:{free_tcp_port}"
        return environ | {"COORDINATOR_S3_ENDPOINT": closed, "COORDINATOR_POOL_SIZE": "1"}

    async def test_a_thousand_urls_are_one_round_trip(self, stores: Stores, tmp_path: Path) -> None:
        """Counted in libpq's trace of the pool's only connection."""
        upload = await add_upload(stores.pool, size_bytes=10_000)
        asked = [ChunkToSign(index, bytes(32)) for index in range(1_000)]
        async with transaction(stores.pool) as tx:
            await uploads.set_multipart(tx, upload, "multipart")

        with tempfile.TemporaryFile(dir=tmp_path) as trace:
            async with stores.pool.connection() as conn:
                conn.pgconn.trace(trace.fileno())
            batch = await sign_chunks(
                stores,
                upload.id,
                Owner("default", "alice"),
                asked,
                force=False,
                lifetime=timedelta(hours=1),
            )
            async with stores.pool.connection() as conn:
                conn.pgconn.untrace()
            trace.seek(0)
            written = trace.read()

        assert written.count(b"ReadyForQuery") == 1
        assert len({chunk.part.url for chunk in batch.chunks if chunk.part}) == 1_000


async def test_a_chunk_that_s3_holds_wrongly_is_named_and_asked_for_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Somebody with the bucket's keys put another part there: sending it again must help.

    On SeaweedFS the forged one stays in the list, in no certain order.
    """
    upload_id = await open_upload(client, SMALLEST + 3, chunk_size=SMALLEST)
    await send(client, s3_http, upload_id, {0: _CHUNKS[0]})
    assert (await ask_urls(client, upload_id, {1: _CHUNKS[1]})).status_code == 200
    reports = {"uploadId": upload_id, "chunks": [{"chunkIndex": index} for index in _CHUNKS]}
    await client.post("/api/upload/chunk", json=reports)
    row = await row_of(stores.pool, upload_id)
    await _put_part_2(stores.bucket, row.object_key, row.multipart_id or "", b"forged")

    refused = await complete(client, upload_id)
    offered = (await ask_urls(client, upload_id, _CHUNKS)).json()["chunks"]
    await send(client, s3_http, upload_id, {1: _CHUNKS[1]})
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (422, "checksum-mismatch")
    assert refused.json()["chunks"] == [1]
    assert [each.get("status", "url") for each in offered] == ["already_uploaded", "url"]
    assert answer.status_code == 200


async def _put_part_2(bucket: Bucket, key: str, multipart_id: str, body: bytes) -> None:
    await bucket._s3.upload_part(
        Bucket=bucket.name,
        Key=key,
        UploadId=multipart_id,
        PartNumber=2,
        Body=body,
        ChecksumAlgorithm="SHA256",
    )
