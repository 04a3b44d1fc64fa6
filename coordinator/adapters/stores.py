"""The three stores, opened together and passed to operations as one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from redis.asyncio import Redis

from coordinator.adapters.bucket import Bucket, BucketOptions, open_bucket
from coordinator.adapters.ledger import Ledger
from coordinator.adapters.postgres import Pool, new_pool
from coordinator.domain.capabilities import EVERYTHING, Capabilities
from coordinator.settings import Settings

_REDIS_SECONDS = 2.0


class Stores(NamedTuple):
    """Postgres is the truth, the ledger a cache, the bucket where the bytes are."""

    pool: Pool
    ledger: Ledger
    bucket: Bucket
    lease: timedelta  # how long one attempt to end an upload holds it
    s3_deadline: timedelta  # the longest that one CompleteMultipartUpload may take
    capabilities: Capabilities  # what the bucket enforces


@asynccontextmanager
async def open_stores(
    settings: Settings, capabilities: Capabilities = EVERYTHING
) -> AsyncGenerator[Stores]:
    """Open pool and clients, and close them in the other order."""
    options = BucketOptions(
        name=settings.s3_bucket,
        endpoint=settings.s3_endpoint,
        public_endpoint=settings.s3_public_endpoint,
        path_addressing=settings.uses_path_addressing,
        complete_seconds=settings.s3_deadline_seconds,
    )
    async with (
        new_pool(settings.database_url, max_size=settings.pool_size) as pool,
        Redis.from_url(
            settings.redis_url,
            socket_timeout=_REDIS_SECONDS,
            socket_connect_timeout=_REDIS_SECONDS,
        ) as redis,
        open_bucket(options) as bucket,
    ):
        lifetime = timedelta(seconds=settings.session_lifetime_seconds)
        yield Stores(
            pool,
            Ledger(redis, lifetime=lifetime),
            bucket,
            timedelta(seconds=settings.lease_seconds),
            timedelta(seconds=settings.s3_deadline_seconds),
            capabilities,
        )
