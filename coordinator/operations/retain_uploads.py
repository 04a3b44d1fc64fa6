"""Apply the tenants' retention rules: completed uploads that are old are erased or archived."""

from typing import Final
from uuid import UUID

import structlog

from coordinator import points
from coordinator.adapters import audit, retention
from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.erasures import NewErasure
from coordinator.adapters.postgres import transaction
from coordinator.adapters.retention import DueUpload
from coordinator.adapters.stores import Stores
from coordinator.domain.bucket_policy import ARCHIVE_TAG
from coordinator.domain.uploads import Upload
from coordinator.operations.request_erasure import request_erasure
from coordinator.operations.side_by_side import side_by_side

_log = structlog.get_logger(__name__)

_BATCH: Final = 100
_MOST: Final = 10_000  # in one round; the rest an hour later


async def retain_uploads(stores: Stores) -> int:
    """Do what is due now, by the database's clock, and return for how many it was done.

    What fails is tried again in the next round. A held upload is left as it is.
    """
    seen: list[UUID] = []
    done = 0
    while len(seen) < _MOST:
        async with stores.pool.connection() as conn:
            found = await retention.due(conn, seen=seen, limit=_BATCH)
        if not found:
            break
        done += await side_by_side("retention", lambda due: _apply(stores, due), found)
        seen += [due.upload.id for due in found]
    if seen:
        _log.info("retention", due=len(seen), done=done)
    return done


async def _apply(stores: Stores, due: DueUpload) -> None:
    structlog.contextvars.bind_contextvars(upload_id=due.upload.public_id)
    if due.action == "archive":
        await _archive(stores, due.upload)
        return
    new = NewErasure(
        id=new_uuid(),
        tenant=due.upload.tenant,
        upload_id=due.upload.id,
        cause="retention",
        requested_by=audit.WORKER,
    )
    await request_erasure(stores, new)


async def _archive(stores: Stores, upload: Upload) -> None:
    """Tag the object; the bucket's lifecycle rule moves what has the tag."""
    await stores.bucket.tag(upload.object_key, *ARCHIVE_TAG)
    points.passed("object-tagged")
    async with transaction(stores.pool) as tx:
        if await retention.mark_archived(tx, upload):
            await audit.of_upload(tx, "upload.archived", upload, actor=audit.WORKER)
