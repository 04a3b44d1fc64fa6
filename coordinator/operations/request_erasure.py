"""Ask for an erasure: commit that, and let a named upload be gone for everybody at once."""

from coordinator import points
from coordinator.adapters import audit, erasing, erasures, persons
from coordinator.adapters.erasures import NewErasure
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.erasures import Erasure
from coordinator.domain.errors import HeldError
from coordinator.operations.read_progress import ledger_or_nothing


async def request_erasure(stores: Stores, new: NewErasure) -> Erasure:
    """Return the erasure, or the one that is under way for the same; a worker does the rest.

    What does not exist (any more) is erased by finding nothing. A user's API keys are revoked here.
    Of a dry run nothing is hidden and nothing revoked.

    Raises:
        HeldError: the upload is on hold.

    """
    async with transaction(stores.pool) as tx:
        erasure, is_new = await erasures.begin(tx, new)
        hidden = []
        if not new.is_dry_run and new.upload_id is not None:
            hidden = await erasing.hide(tx, erasure, limit=1)
            if (await erasing.left(tx, erasure))[0]:
                raise HeldError
        if not new.is_dry_run and new.user_id is not None:
            await persons.revoke_keys(tx, new.tenant, new.user_id)
        if is_new:
            await audit.append(
                tx,
                "erasure.requested",
                tenant=new.tenant,
                actor=new.requested_by,
                user=new.user_id,
                upload_id=new.upload_id,
                erasure=ids.encode(ids.ERASURE, erasure.id),
                cause=new.cause,
                dry_run=new.is_dry_run,
            )
        erasure = await erasures.read(tx, erasure.id, new.tenant)
    for upload in hidden:
        points.passed("erasure-hidden")
        await ledger_or_nothing(stores.ledger.bury(upload))
    return erasure
