"""The three stores, opened together and passed to operations as one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from coordinator.adapters.bucket import Bucket, BucketOptions, open_bucket
from coordinator.adapters.ledger import Ledger
from coordinator.adapters.limiter import Limiter
from coordinator.adapters.postgres import Pool, new_pool
from coordinator.adapters.setting_text import text_of
from coordinator.adapters.sinks import sinks_of
from coordinator.adapters.wary_redis import open_redis
from coordinator.domain.capabilities import EVERYTHING, Capabilities
from coordinator.domain.pipelines import (
    PIPELINES,
    Pipelines,
    PipelineSettingError,
    parse_pipelines,
)
from coordinator.domain.sinks import NO_SINKS, Sinks
from coordinator.settings import Settings, SettingsError


class Stores(NamedTuple):
    """Postgres is the truth, ledger and limiter are in Redis, the bucket is where the bytes are."""

    pool: Pool
    ledger: Ledger
    bucket: Bucket
    lease: timedelta  # how long one attempt to end an upload holds it
    s3_deadline: timedelta  # the longest that one CompleteMultipartUpload may take
    capabilities: Capabilities  # what the bucket enforces
    limiter: Limiter
    pipelines: Pipelines = PIPELINES
    sinks: Sinks = NO_SINKS  # who wants to hear of what happens


def read_pipelines(setting: str) -> Pipelines:
    """Read ``COORDINATOR_PIPELINES``.

    Raises:
        SettingsError: it cannot be used; the message says why.

    """
    try:
        return parse_pipelines(text_of("pipelines", setting, shape="object"))
    except PipelineSettingError as exc:
        raise SettingsError(f"COORDINATOR_PIPELINES: {exc}.") from None


def bucket_options(settings: Settings) -> BucketOptions:
    """Say where the bucket is."""
    return BucketOptions(
        name=settings.s3_bucket,
        endpoint=settings.s3_endpoint,
        public_endpoint=settings.s3_public_endpoint,
        path_addressing=settings.uses_path_addressing,
        complete_seconds=settings.s3_deadline_seconds,
    )


@asynccontextmanager
async def open_stores(
    settings: Settings, capabilities: Capabilities = EVERYTHING
) -> AsyncGenerator[Stores]:
    """Open pool and clients, and close them in the other order."""
    async with (
        new_pool(settings.database_url, max_size=settings.pool_size) as pool,
        open_redis(settings.redis_url) as redis,
        open_bucket(bucket_options(settings)) as bucket,
    ):
        lifetime = timedelta(seconds=settings.session_lifetime_seconds)
        yield Stores(
            pool,
            Ledger(redis, lifetime=lifetime),
            bucket,
            timedelta(seconds=settings.lease_seconds),
            timedelta(seconds=settings.s3_deadline_seconds),
            capabilities,
            Limiter(redis, secret=settings.secret),
            read_pipelines(settings.pipelines),
            sinks_of(settings),
        )
