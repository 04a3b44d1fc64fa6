"""Uploads at their end: deadlines that have passed, and what is left in Redis."""

from datetime import timedelta

from coordinator.adapters.stores import Stores
from tests.builders import rows, uuid_of

_MOVE = "UPDATE uploads SET deadline = clock_timestamp() - %s WHERE id = %s RETURNING id"


async def run_out(stores: Stores, upload_id: str, *, ago: timedelta = timedelta(0)) -> None:
    """Let the upload's deadline have passed ``ago``."""
    await rows(stores.pool, _MOVE, [ago, uuid_of(upload_id)])


async def redis_keys(stores: Stores, upload_id: str) -> list[bytes]:
    """Return the keys that Redis has of an upload."""
    return [key async for key in stores.ledger._redis.scan_iter("{" + upload_id + "}:*")]
