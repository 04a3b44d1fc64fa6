"""Take over uploads whose attempt to end them was abandoned: its lease ran out."""

from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from opentelemetry.trace import SpanKind

from coordinator import tracing
from coordinator.adapters import abandoned, audit, queue, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner
from coordinator.operations.complete_upload import complete_upload
from coordinator.operations.side_by_side import side_by_side

_log = structlog.get_logger(__name__)

_PATIENCE: Final = timedelta(minutes=2)


async def take_over_uploads(stores: Stores, *, patience: timedelta = _PATIENCE) -> int:
    """Drive every abandoned upload on, by proof, and return how many there were.

    Safe in many workers at once: each upload is taken under its lease. One that fails keeps no
    other from being driven.
    """
    async with stores.pool.connection() as conn:
        found = await abandoned.find(conn, patience=patience)
    await side_by_side("takeover", partial(take_over, stores), [upload.id for upload in found])
    return len(found)


@tracing.traced(SpanKind.CONSUMER)
async def take_over(stores: Stores, upload_id: UUID) -> None:
    """Drive one sealed upload on, unless somebody else does; what fails is tried again later."""
    async with stores.pool.connection() as conn:
        upload = await uploads.read_any(conn, upload_id)
    tracing.describe({tracing.UPLOAD_ID: upload.public_id})
    if upload.phase is not Phase.ASSEMBLING or upload.erasing_since is not None:
        return
    try:
        if upload.awaits_hashing:
            async with transaction(stores.pool) as tx:
                await queue.enqueue_verification(tx, upload.id)
        else:
            owner = Owner(upload.tenant, None)
            await complete_upload(stores, upload.id, owner, actor=audit.WORKER)
    except CoordinatorError as refusal:
        # Most likely open again: its client is asked for chunks when it completes the next time.
        _log.info("not completed", upload_id=upload.public_id, code=refusal.code)
    except Exception as exc:  # noqa: BLE001 - the next upload is tried, and this one again later
        _log.warning("not taken over", upload_id=upload.public_id, error=type(exc).__name__)
        tracing.fail_current(exc)
