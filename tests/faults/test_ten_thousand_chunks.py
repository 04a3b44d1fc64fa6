"""S3's largest number of parts: signed, sent twice, reported, listed, and rebuilt from nothing."""

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.settings import Settings, read
from tests.builders import complete, open_upload, rows, sign, status, tree, uuid_of
from tests.conftest import MakeKey, client_of
from tests.faults.fake_s3 import FakeS3
from tests.faults.hostile_s3 import COMPLETE, LIST, hostile_s3
from tests.faults.raw_puts import put_all

COUNT = 10_000
BATCH = 1_000
SIZE = 4 * (COUNT - 1) + 3
REBUILD_SECONDS = 5.0  # the bar of the issue
COMPLETE_SECONDS = 15.0  # 202 comes after 25 s

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

CHUNKS = {index: index.to_bytes(4, "big") for index in range(COUNT - 1)} | {COUNT - 1: b"end"}


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Chunks of a few bytes are allowed."""
    return {**environ, "COORDINATOR_MIN_CHUNK_BYTES": "1"}


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str, float], float]:
    """Print what something took since a moment, and return it."""

    def say(what: str, since: float) -> float:
        took = perf_counter() - since
        with capsys.disabled():
            sys.stdout.write(f"\n  {what}: {took:.2f} s")
        return took

    return say


async def _sign_all(client: httpx.AsyncClient, upload_id: str) -> list[dict[str, Any]]:
    signed = []
    for first in range(0, COUNT, BATCH):
        batch = {index: CHUNKS[index] for index in range(first, first + BATCH)}
        signed += await sign(client, upload_id, batch)
    return signed


async def _report_all(client: httpx.AsyncClient, upload_id: str) -> None:
    for first in range(0, COUNT, BATCH):
        reports = [{"chunkIndex": index} for index in range(first, first + BATCH)]
        body = {"uploadId": upload_id, "chunks": reports}
        assert (await client.post("/api/upload/chunk", json=body)).status_code == 200


async def _rebuild(
    client: httpx.AsyncClient,
    settings: Settings,
    upload_id: str,
    tell: Callable[[str, float], float],
) -> tuple[dict[str, Any], float]:
    """Let Redis forget all, and measure, the best of three: another test may run beside."""
    best = float("inf")
    for _ in range(3):
        async with Redis.from_url(settings.redis_url) as redis:
            await redis.flushdb()
        began = perf_counter()
        rebuilt = await status(client, upload_id)
        took = tell("ledger rebuilt after FLUSHDB", began)
        best = min(best, took)
        if best < REBUILD_SECONDS:
            break
    return rebuilt, best


def _progress(seen: dict[str, Any]) -> tuple[str, int, list[int], list[int]]:
    return seen["status"], seen["uploadedChunks"], seen["missingChunks"], seen["failedChunks"]


async def test_ten_thousand_chunks_sent_twice_are_known_reported_or_not(
    client: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    tell: Callable[[str, float], float],
) -> None:
    """SeaweedFS lists both sendings of a part; Redis may forget everything at any time."""
    upload_id = await open_upload(client, SIZE, chunk_size=4)
    for turn in ("first", "second"):
        began = perf_counter()
        signed = await _sign_all(client, upload_id)
        tell(f"{COUNT} parts signed ({turn} time)", began)
        began = perf_counter()
        assert set(await put_all(signed, CHUNKS)) == {200}
        tell(f"{COUNT} parts sent ({turn} time)", began)
    began = perf_counter()
    await _report_all(client, upload_id)
    tell(f"{COUNT} chunks reported", began)
    reported = await status(client, upload_id)

    began = perf_counter()
    verified = (await client.get(f"/api/upload/status/{upload_id}?verify=true")).json()
    tell("status?verify=true, every part listed twice", began)
    rebuilt, took = await _rebuild(client, settings, upload_id, tell)
    began = perf_counter()
    cached = await status(client, upload_id)
    took_cached = tell("status from the ledger", began)

    known = [_progress(each) for each in (reported, verified, rebuilt, cached)]
    assert known == [("UPLOADING", COUNT, [], [])] * 4
    assert took < REBUILD_SECONDS
    assert took_cached < took
    packed = await rows(
        stores.pool, "SELECT count(*) AS n FROM signings WHERE upload_id = %s", [uuid_of(upload_id)]
    )
    assert packed == [{"n": COUNT // BATCH}]


async def test_ten_thousand_parts_are_completed_and_proven(
    environ: dict[str, str], make_key: MakeKey, tell: Callable[[str, float], float]
) -> None:
    """Every part is named with its digest, in order; the object's root is the manifest's."""
    fake = FakeS3(list(CHUNKS.values()))
    with hostile_s3(fake) as s3:
        service = create_app(read({**environ, "COORDINATOR_S3_ENDPOINT": s3.address}))
        async with service.lifespan(), client_of(service, await make_key()) as client:
            upload_id = await open_upload(client, SIZE, chunk_size=4)
            await _sign_all(client, upload_id)
            began = perf_counter()
            answer = await complete(client, upload_id)
            took = tell(f"{COUNT} parts listed, compared, completed, proven", began)
            repeated = await complete(client, upload_id)

    root = tree(CHUNKS.values()).removeprefix("sha256-tree:")
    [found] = fake.objects.values()
    assert (answer.status_code, fake.refusals) == (200, [])
    assert answer.json()["manifest"] == {
        "root": root,
        "chunks": COUNT,
        "checksum": f"sha256-tree:{root}",
    }
    assert (found.root, found.size_bytes) == (root, SIZE)
    assert (s3.statuses(COMPLETE), s3.statuses(LIST)) == ([200], [200] * (COUNT // BATCH))
    assert repeated.json() == answer.json()
    assert took < COMPLETE_SECONDS
