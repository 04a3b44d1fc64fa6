"""Quotas as tests set them, and what is used, read and counted once more."""

from typing import Any

from coordinator.adapters.stores import Stores
from coordinator.domain.quotas import QuotaRow
from coordinator.operations.set_quotas import set_quotas
from tests.builders import rows

# The trigger counts as things happen; this counts what is there.
_RECOUNT = """
SELECT tenant, count(*) FILTER (WHERE phase NOT IN ('COMPLETED', 'FAILED')) AS open_uploads,
       coalesce(sum(size_bytes) FILTER (WHERE phase <> 'FAILED'), 0)::bigint AS stored_bytes,
       coalesce(sum(size_bytes) FILTER (
         WHERE phase <> 'FAILED' AND day_of(created_at) = day_of(clock_timestamp())), 0)::bigint
         AS day_bytes
  FROM uploads GROUP BY tenant ORDER BY tenant
"""
_USAGE = "SELECT tenant, open_uploads, stored_bytes, day_bytes FROM usage ORDER BY tenant"


async def limit(stores: Stores, tenant: str = "default", **row: Any) -> None:
    """Make these the tenant's own limits."""
    await set_quotas(stores, tenant, QuotaRow(**row), actor="test")


async def usage(stores: Stores, tenant: str = "default") -> tuple[int, int, int]:
    """Return how many are open, the bytes stored and the bytes of the day, as counted."""
    for row in await rows(stores.pool, _USAGE):
        if row["tenant"] == tenant:
            return row["open_uploads"], row["stored_bytes"], row["day_bytes"]
    return 0, 0, 0


async def miscounted(stores: Stores) -> list[Any]:
    """Return what is counted otherwise than it is; the uploads of tests are all of one day."""
    counted = await rows(stores.pool, _USAGE)
    return [each for each in counted if each not in await rows(stores.pool, _RECOUNT)]
