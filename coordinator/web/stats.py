"""``GET /api/stats``: how many uploads and bytes, by user, type or tenant, over time."""

from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from coordinator.adapters import statistics
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action, Caller, Scope
from coordinator.domain.errors import ForbiddenError, InvalidFieldError
from coordinator.domain.limits import RouteClass
from coordinator.domain.statistics import By, Every, decode, encode, span
from coordinator.domain.uploads import Owner
from coordinator.web.auth import NamedTenant, guarded, tenant_for
from coordinator.web.documented import documented
from coordinator.web.shapes import Answer

_PAGE: Final = 1_000


class StatsRow(Answer):
    """Of one key in one period: opened and ended then; `bytes` are of the completed ones."""

    key: str
    period: str
    opened: int
    completed: int
    failed: int
    bytes: int


class StatsAnswer(Answer, rename={"first": "from", "last": "to", "next_cursor": "nextCursor"}):
    """A page by period and key; periods and keys without any upload have no row."""

    by: By
    first: str
    last: str
    every: Every
    rows: list[StatsRow]
    next_cursor: str | None


@get(
    "/api/stats",
    **guarded(Action.COUNT, RouteClass.READ),
    operation_id="countUploads",
    summary="Count uploads and bytes",
    tags=["operators"],
    responses=documented(InvalidFieldError, ForbiddenError),
)
async def count_uploads(
    *,
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    by: Annotated[By, QueryParameter(description="What each row counts.")] = By.USER,
    first: Annotated[
        str | None,
        QueryParameter(name="from", max_length=10, description="First day, UTC: YYYY-MM-DD."),
    ] = None,
    last: Annotated[
        str | None,
        QueryParameter(name="to", max_length=10, description="Last day; without it, today."),
    ] = None,
    every: Annotated[Every, QueryParameter(description="How long a period is.")] = Every.DAY,
    tenant: NamedTenant = None,
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=2_000)] = None,
) -> StatsAnswer:
    """Count what is the caller's to see: its own uploads, or its tenant's; at most 400 days.

    By tenant, with the scope `every-tenant` and no `tenant` named: all tenants. The key of an
    erased user is empty. Hours are of one tenant and of at most 8 days, without what was erased.
    """
    wanted = _tenant(caller, owner, by if every is not Every.HOUR else By.USER, tenant)
    after = None if cursor is None else decode(cursor)
    async with stores.pool.connection() as conn:
        days = span(first, last, today=await statistics.today(conn), every=every)
        rows = await statistics.read(
            conn,
            days,
            by=by,
            every=every,
            tenant=wanted,
            user=owner.user,
            after=after,
            limit=limit + 1,
        )
    page = rows[:limit]
    return StatsAnswer(
        by=by,
        first=days.first.isoformat(),
        last=days.last.isoformat(),
        every=every,
        rows=[StatsRow(**msgspec.structs.asdict(row)) for row in page],
        next_cursor=encode(page[-1]) if len(rows) > limit else None,
    )


def _tenant(caller: Caller, owner: Owner, by: By, wished: str | None) -> str | None:
    """Return the tenant to count in; ``None``: in all.

    Raises:
        ForbiddenError: another tenant is named, and the caller may not look into it.

    """
    tenant = tenant_for(caller, wished)
    if owner.user is not None:
        if tenant != caller.tenant:
            # A user of the same name there is somebody else.
            raise ForbiddenError("You may count your own uploads only.", field="tenant")
        return tenant
    counts_all = by is By.TENANT and wished is None and Scope.EVERY_TENANT in caller.scopes
    return None if counts_all else tenant


ROUTES: Final = (count_uploads,)
