"""Examine all three stores side by side; one that is away does not keep the others from it."""

import asyncio

from coordinator.adapters.probing import open_probe
from coordinator.adapters.stores import bucket_options
from coordinator.domain.capabilities import Check
from coordinator.domain.examination import Line
from coordinator.operations.examine_bucket import examine_bucket
from coordinator.operations.examine_prefix import examine_prefix
from coordinator.operations.examine_servers import examine_postgres, examine_redis
from coordinator.settings import Settings


async def examine_stores(settings: Settings, accepted: frozenset[Check]) -> list[Line]:
    """Say everything that `coordinator doctor` says."""
    found = await asyncio.gather(
        _examine_s3(settings, accepted),
        examine_postgres(settings.database_url),
        examine_redis(settings.redis_url),
    )
    return [line for lines in found for line in lines]


async def _examine_s3(settings: Settings, accepted: frozenset[Check]) -> list[Line]:
    async with open_probe(bucket_options(settings), prefix=settings.s3_prefix) as probe:
        lines = await examine_bucket(probe, settings, accepted)
        answers = len(lines) > 1
        return [*lines, await examine_prefix(probe.source, settings)] if answers else lines
