"""End uploads whose deadline has passed, by the database's clock."""

import structlog

from coordinator.adapters import abandoned
from coordinator.adapters.stores import Stores
from coordinator.domain.uploads import Upload
from coordinator.operations.complete_upload import expire_upload
from coordinator.operations.side_by_side import side_by_side

_log = structlog.get_logger(__name__)


async def expire_uploads(stores: Stores) -> int:
    """End a batch of them, and return how many were found.

    Safe in many workers at once: each upload is ended under its lease, and what S3 does not answer
    is taken over when the lease is over.
    """
    async with stores.pool.connection() as conn:
        found = await abandoned.find_expired(conn)

    async def expire(upload: Upload) -> None:
        structlog.contextvars.bind_contextvars(upload_id=upload.public_id)
        ended = await expire_upload(stores, upload)
        if not ended.is_open:
            _log.info("deadline passed", phase=ended.phase)

    await side_by_side("expiry", expire, found)
    return len(found)
