"""The ledger's price: memory in Redis, and round trips of a report."""

from hashlib import md5
from typing import Final

import msgspec
from redis import Redis

from coordinator.cli.local import Local
from tests.benchmarks.installation import BATCH, CHUNKS, CountedService, counted, installed
from tests.benchmarks.measuring import Row, exactly

PATH: Final = "/api/upload/chunk"
_LIMIT_BYTES: Final = 256 * 1024
_SINGLE: Final = 20


def measure() -> list[Row]:
    """Return the rows for memory and round trips."""
    with installed() as local, counted(local) as service:
        upload_id = service.client.new_upload()
        service.client.post(PATH, _one(upload_id, 0))  # now Redis knows the script
        single = [
            service.round_trips(PATH, _one(upload_id, index)) for index in range(1, _SINGLE + 1)
        ]
        batches = _report_all(service, upload_id)
        used = _memory_bytes(local, upload_id)
    rows = [Row("ledger of 10,000 chunks: memory / 256 KiB", used / _LIMIT_BYTES, at_most=1)]
    for what, seen in (("one chunk", single), ("1,000 chunks", batches)):
        postgres, redis, s3 = (max(counts) for counts in zip(*seen, strict=True))
        rows += [
            exactly(f"report {what}: round trips to Redis", redis, 2),
            exactly(f"report {what}: round trips to Postgres and S3", postgres + s3, 0),
        ]
    return rows


def _report_all(service: CountedService, upload_id: str) -> list[tuple[int, int, int]]:
    """Report every chunk with an ETag as S3 gives it; return each request's round trips."""
    bodies = []
    for first in range(0, CHUNKS, BATCH):
        chunks = [
            {"chunkIndex": index, "etag": _etag(index)} for index in range(first, first + BATCH)
        ]
        bodies.append(msgspec.json.encode({"uploadId": upload_id, "chunks": chunks}))
    return [service.round_trips(PATH, body) for body in bodies]


def _memory_bytes(local: Local, upload_id: str) -> int:
    """Add up what Redis needs for all keys of the upload, every field measured."""
    with Redis.from_url(local.environ["COORDINATOR_REDIS_URL"]) as redis:
        keys = list(redis.scan_iter(f"{{{upload_id}}}:*", count=1_000))
        assert len(keys) >= CHUNKS / 100, "the ETags lie in hashes of 100"
        return sum(int(redis.memory_usage(key, samples=0) or 0) for key in keys)


def _one(upload_id: str, index: int) -> bytes:
    return msgspec.json.encode({"uploadId": upload_id, "chunkIndex": index, "etag": _etag(index)})


def _etag(index: int) -> str:
    return md5(b"%d" % index, usedforsecurity=False).hexdigest()
