"""Complete an upload that was opened with ``autoComplete``, once nothing is missing any more.

The last report commits the intent and no more: a worker completes. Reports are advice and may be
lost, so S3 is asked now and then about uploads whose chunks are all signed.
"""

from datetime import timedelta
from uuid import UUID

import structlog

from coordinator import points
from coordinator.adapters import automatic, leases, queue, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import UploadExpiredError
from coordinator.domain.phases import Intent, Phase
from coordinator.domain.uploads import Seal, Upload, seal
from coordinator.operations.read_progress import ledger_or_nothing, rebuild_ledger
from coordinator.operations.side_by_side import side_by_side


async def commit_completion(stores: Stores, upload_id: UUID) -> bool:
    """Commit the intent to complete, and queue it; ``False`` when that is not (or no more) due."""
    async with transaction(stores.pool) as tx:
        upload = await uploads.lock_any(tx, upload_id)
        decision = _decide(upload)
        if decision is None:
            return False
        # Nobody holds it: whoever comes first, worker or client, drives it.
        await leases.take(tx, upload_id, decision, lease=timedelta(0))
        await queue.enqueue_completion(tx, upload_id)
    points.passed("auto-sealed")
    await ledger_or_nothing(stores.ledger.forget(upload))
    return True


def _decide(upload: Upload) -> Seal | None:
    if upload.erasing_since is not None:
        return None
    if not upload.auto_complete or upload.phase not in {Phase.INIT, Phase.UPLOADING}:
        return None
    try:
        decision = seal(upload, Intent.COMPLETE, Declared(), None)
    except UploadExpiredError:
        return None
    assert isinstance(decision, Seal), "open and not leased"
    return decision


async def complete_missed(stores: Stores, *, patience: timedelta = timedelta(seconds=30)) -> int:
    """Ask S3 about uploads whose last report may have been lost; return how many were complete.

    ``patience`` is the least time between two looks at one upload; it grows with its idleness.
    """
    async with stores.pool.connection() as conn:
        found = await automatic.look_at_due(conn, patience=patience)
    committed: list[UUID] = []

    async def look(upload: Upload) -> None:
        structlog.contextvars.bind_contextvars(upload_id=upload.public_id)
        held = await rebuild_ledger(stores, upload)
        if len(held) == upload.plan.chunk_count and await commit_completion(stores, upload.id):
            committed.append(upload.id)

    await side_by_side("look for a missed report", look, found)
    return len(committed)
