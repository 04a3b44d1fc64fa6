"""The stores alone, each opened as the service opens it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from coordinator.adapters.bucket import Bucket, BucketOptions, open_bucket
from coordinator.adapters.ledger import Ledger
from coordinator.adapters.postgres import Pool, new_pool
from coordinator.embedded import Addresses
from coordinator.settings import Settings


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections enough for 20 requests at once and one that watches them."""
    async with new_pool(database_url, max_size=22) as opened:
        yield opened


@pytest.fixture
async def redis(servers: Addresses, worker_id: str) -> AsyncIterator[Redis]:
    """A client of the worker's own Valkey database."""
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    async with Redis.from_url(f"{servers.redis_url.rstrip('/')}/{number}") as opened:
        yield opened


@pytest.fixture
def ledger(redis: Redis) -> Ledger:
    """The ledgers of all uploads."""
    return Ledger(redis, lifetime=timedelta(days=7))


@pytest.fixture
async def bucket(settings: Settings) -> AsyncIterator[Bucket]:
    """The bucket, on each S3 server in turn."""
    options = BucketOptions(
        name=settings.s3_bucket,
        endpoint=settings.s3_endpoint,
        public_endpoint="",
        path_addressing=True,
        complete_seconds=settings.s3_deadline_seconds,
    )
    async with open_bucket(options) as opened:
        yield opened
