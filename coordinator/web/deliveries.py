"""``/api/deliveries``: which sinks have heard of which events, and trying dead ones again."""

from typing import Annotated, Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from coordinator.adapters import events
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.access import Action, Caller
from coordinator.domain.deliveries import Delivery, State, decode_place
from coordinator.domain.errors import (
    DeliveryNotDeadError,
    DeliveryNotFoundError,
    InvalidFieldError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.sinks import is_name
from coordinator.domain.uploads import Owner
from coordinator.operations.retry_delivery import retry_delivery
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.shapes import Answer, Timestamp, stamp, stamp_or_null

_PAGE: Final = 100


class DeliveryAnswer(Answer):
    """An event on its way to a sink; `nextAttemptAt` is null once it is delivered or dead."""

    event_id: str
    type: str
    upload_id: str
    sink: str
    status: State
    attempt: int
    last_error: str | None
    created_at: Timestamp
    next_attempt_at: Timestamp | None
    delivered_at: Timestamp | None


class DeliveriesAnswer(Answer):
    """A page, those of the newest events first; `nextCursor` is null on the last."""

    deliveries: list[DeliveryAnswer]
    next_cursor: str | None


@get(
    "/api/deliveries",
    **guarded(Action.RETRY, RouteClass.ADMIN),
    operation_id="listDeliveries",
    summary="List deliveries of events",
    tags=["operators"],
    responses=documented(InvalidFieldError),
)
async def list_deliveries(
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    status: Annotated[State | None, QueryParameter(name="state")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=200)] = None,
) -> DeliveriesAnswer:
    """List the tenant's deliveries; `state=dead` those that were given up."""
    after = None if cursor is None else decode_place(cursor)
    async with stores.pool.connection() as conn:
        rows = await events.newest(conn, owner.tenant, state=status, after=after, limit=limit + 1)
    page = rows[:limit]
    return DeliveriesAnswer(
        deliveries=[_answer(row) for row in page],
        next_cursor=page[-1].place.encode() if len(rows) > limit else None,
    )


@post(
    "/api/deliveries/{event_id:str}/{sink:str}/retry",
    **guarded(Action.RETRY, RouteClass.ADMIN),
    operation_id="retryDelivery",
    summary="Try a dead delivery again",
    tags=["operators"],
    status_code=202,
    responses=documented(DeliveryNotFoundError, DeliveryNotDeadError),
)
async def retry(
    event_id: FromPath[str],
    sink: FromPath[str],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> DeliveryAnswer:
    """Try it at once, and as often as a new one. The event keeps its id."""
    known = ids.decode(ids.EVENT, event_id)
    if known is None or not is_name(sink):
        raise DeliveryNotFoundError
    return _answer(
        await retry_delivery(stores, known, sink, tenant=owner.tenant, actor=caller.actor)
    )


def _answer(row: Delivery) -> DeliveryAnswer:
    return DeliveryAnswer(
        event_id=ids.encode(ids.EVENT, row.event_id),
        type=row.type,
        upload_id=ids.encode(ids.UPLOAD, row.upload_id),
        sink=row.sink,
        status=row.state,
        attempt=row.attempt,
        last_error=row.last_error,
        created_at=stamp(row.created_at),
        next_attempt_at=stamp(row.next_at) if row.state is State.WAITING else None,
        delivered_at=stamp_or_null(row.delivered_at),
    )


ROUTES: Final = (list_deliveries, retry)
