"""Open a sealed upload again: chunks are asked for, as if completion had not been."""

from collections.abc import Sequence

from coordinator import points
from coordinator.adapters import leases
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Event, after
from coordinator.domain.uploads import Upload
from coordinator.operations.drop_multipart import drop_multipart
from coordinator.operations.read_progress import ledger_or_nothing


async def reopen_upload(
    stores: Stores,
    upload: Upload,
    *,
    missing: Sequence[int],
    multipart_lost: bool = False,
    automatic: bool = True,
) -> None:
    """Give the lease back. With ``multipart_lost`` the next signing begins a new generation.

    Raises:
        LeaseLostError: another attempt has taken over; nothing was written.

    """
    phase = after(upload.phase, Event.REOPEN)
    async with transaction(stores.pool) as tx:
        await leases.reopen(tx, upload, phase, multipart_lost=multipart_lost, automatic=automatic)
    points.passed("reopened")
    await ledger_or_nothing(stores.ledger.clear(upload.id, missing))
    if multipart_lost and upload.multipart_id is not None:
        await drop_multipart(stores, upload.object_key, upload.multipart_id)
