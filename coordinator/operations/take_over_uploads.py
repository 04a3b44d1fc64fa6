"""Take over uploads whose attempt to end them was abandoned: its lease ran out."""

import structlog

from coordinator.adapters import abandoned
from coordinator.adapters.stores import Stores
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.complete_upload import complete_upload
from coordinator.operations.verify_object import ACTOR, verify_object

_log = structlog.get_logger(__name__)


async def take_over_uploads(stores: Stores) -> int:
    """Drive every abandoned upload on, by proof, and return how many there were.

    Safe in many workers at once: each upload is taken under its lease.
    """
    async with stores.pool.connection() as conn:
        found = await abandoned.find(conn)
    for upload in found:
        try:
            await _take_over(stores, upload)
        except CoordinatorError as refusal:
            # Open again: its client is asked for what is missing when it completes the next time.
            _log.info("reopened", upload_id=upload.public_id, code=refusal.code)
    return len(found)


async def _take_over(stores: Stores, upload: Upload) -> None:
    if upload.awaits_hashing:
        await verify_object(stores, upload.id)
        return
    await complete_upload(
        stores,
        upload.id,
        Owner(upload.tenant, None),
        checksum=None,
        declared=Declared(),
        manifest=None,
        actor=ACTOR,
    )
