"""End an upload whose object is whole in S3, and is not what it was declared to be."""

from coordinator import points
from coordinator.adapters import audit, events, leases
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.events import upload_failed
from coordinator.domain.phases import Event, Reason, after
from coordinator.domain.uploads import Upload
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.telemetry import UPLOADS, file_type_label


async def fail_upload(
    stores: Stores, upload: Upload, reason: Reason, *, actor: str, detected: str | None = None
) -> Upload:
    """End the upload, then delete the object: it was never downloadable and is nobody's file.

    ``upload`` must hold the lease. A crash in between leaves the object to the next sweep.

    Raises:
        LeaseLostError: another attempt has taken over; nothing was written or deleted.

    """
    phase = after(upload.phase, Event.GIVE_UP)
    async with transaction(stores.pool) as tx:
        failed = await leases.leave(tx, upload, phase, reason=reason, detected=detected)
        await audit.of_upload(tx, f"upload.{reason}", upload, actor=actor)
        await events.add(tx, stores.sinks, upload_failed(upload, reason=reason))
    points.passed("failed")
    await ledger_or_nothing(stores.ledger.forget(upload))
    UPLOADS.labels(reason, file_type_label(upload.file_type)).inc()
    await stores.bucket.delete(upload.object_key)
    return failed
