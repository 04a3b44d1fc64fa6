"""Put an upload under a legal hold, or lift it."""

from uuid import UUID

from coordinator.adapters import audit, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.uploads import Owner


async def hold_upload(
    stores: Stores, upload_id: UUID, owner: Owner, *, case: str | None, actor: str
) -> None:
    """Hold it for ``case``, in place of an earlier one; with ``None`` lift the hold.

    While it stands the upload is not erased, retention passes it by, and nobody aborts it. An open
    one still expires: its parts are no object yet, and the bucket's own rule would drop them. The
    case stands in the row alone, for it may name people.

    Raises:
        UploadNotFoundError: there is no such upload, or it is being erased.

    """
    async with transaction(stores.pool) as tx:
        before = await uploads.lock(tx, upload_id, owner)
        if before.hold == case:
            return
        await uploads.set_hold(tx, upload_id, case)
        action = "hold.lifted" if case is None else "hold.set"
        await audit.of_upload(tx, action, before, actor=actor)
