"""Note what a client reports of its chunks: one round trip to Redis."""

from collections.abc import Sequence
from uuid import UUID

from coordinator.adapters import uploads
from coordinator.adapters.ledger import Report, Reported
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import UnavailableError, WrongPhaseError
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner
from coordinator.operations.complete_by_itself import commit_completion
from coordinator.operations.read_progress import LEDGER_AWAY, rebuild_ledger
from coordinator.telemetry import CHUNKS


async def record_chunks(
    stores: Stores, upload_id: UUID, owner: Owner, reports: Sequence[Report], *, total: int | None
) -> Reported:
    """Note ``reports``, all or none. Where Redis has forgotten the upload, S3 is asked first.

    The last one completes an upload that was opened to complete by itself.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.
        WrongPhaseError: the chunk list is frozen or the upload is over.
        InvalidFieldError: an index is out of range, or ``total`` is not the plan's.
        UnavailableError: Redis is away; the upload completes without reports.

    """
    try:
        reported = await stores.ledger.report(upload_id, owner, reports, total=total)
        if reported is None:
            async with stores.pool.connection() as conn:
                upload = await uploads.read(conn, upload_id, owner)
            if upload.phase not in {Phase.INIT, Phase.UPLOADING}:
                raise WrongPhaseError(
                    phase=upload.phase, event="report chunks", reason=upload.reason
                )
            await rebuild_ledger(stores, upload)
            reported = await stores.ledger.report(upload_id, owner, reports, total=total)
    except LEDGER_AWAY as exc:
        raise UnavailableError(
            "Progress cannot be noted now; completing does not need it."
        ) from exc
    if reported is None:
        raise UnavailableError("Progress cannot be noted now; completing does not need it.")
    if reported.is_last:
        await commit_completion(stores, upload_id)
    for word in reported.words:
        CHUNKS.labels(word).inc()
    return reported
