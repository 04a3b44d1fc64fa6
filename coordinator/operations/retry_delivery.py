"""Try a dead delivery again, because an operator says that what was wrong is mended."""

from uuid import UUID

import msgspec

from coordinator.adapters import audit, events
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.deliveries import Delivery, State
from coordinator.domain.errors import DeliveryNotDeadError, DeliveryNotFoundError


async def retry_delivery(
    stores: Stores, event_id: UUID, sink: str, *, tenant: str, actor: str
) -> Delivery:
    """Let it be tried again, as often as a new one.

    Raises:
        DeliveryNotFoundError: the tenant has no such event, or the sink did not want it.
        DeliveryNotDeadError: it is delivered, or will be tried again anyhow.

    """
    async with transaction(stores.pool) as tx:
        found = await events.lock(tx, event_id, sink, tenant=tenant)
        if found is None:
            raise DeliveryNotFoundError
        if found.state is not State.DEAD:
            raise DeliveryNotDeadError(found.state)
        await events.revive(tx, event_id, sink)
        await audit.append(
            tx,
            "delivery.retried",
            tenant=tenant,
            actor=actor,
            upload_id=found.upload_id,
            event=found.type,
            sink=sink,
        )
    return msgspec.structs.replace(found, state=State.WAITING)
