"""``/api/quotas``: what a tenant may use, and what it uses."""

from typing import Annotated, Final

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import Body, QueryParameter

from coordinator.adapters import quotas as quota_rows
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action, Caller
from coordinator.domain.errors import ForbiddenError, InvalidFieldError, MalformedJsonError
from coordinator.domain.file_types import PATTERN
from coordinator.domain.limits import RouteClass
from coordinator.domain.quotas import QuotaRow, Standing, TypeCheck
from coordinator.operations.set_quotas import set_quotas
from coordinator.web.auth import guarded, tenant_for
from coordinator.web.bodies import check_body
from coordinator.web.documented import documented, example
from coordinator.web.shapes import Answer, Strict

_MOST: Final = 2**63 - 1

Tenant = Annotated[
    str | None,
    QueryParameter(
        max_length=64,
        description="Another tenant than the caller's, or `*` for the default of all: needs "
        "`every-tenant`.",
    ),
]
Limit = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
Pattern = Annotated[str, msgspec.Meta(max_length=129, pattern=PATTERN)]


class QuotasRequest(Strict, kw_only=True):
    """All of a tenant's own limits, in place of those it had; null: as the default has it."""

    open_uploads: Annotated[Limit | None, msgspec.Meta(description="At once.")] = None
    bytes_a_day: Annotated[
        Limit | None,
        msgspec.Meta(description="Of uploads opened since 00:00 UTC, the failed ones not."),
    ] = None
    stored_bytes: Annotated[
        Limit | None, msgspec.Meta(description="Of uploads open or completed.")
    ] = None
    largest_file: Annotated[Limit | None, msgspec.Meta(description="Bytes.")] = None
    chunks_a_second: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    file_types: (
        Annotated[
            list[Pattern],
            msgspec.Meta(max_length=100, description="Media types: `text/csv`, `image/*`."),
        ]
        | None
    ) = None
    type_check: TypeCheck | None = None


class _Limits(Answer):
    open_uploads: int | None
    bytes_a_day: int | None
    stored_bytes: int | None
    largest_file: int | None
    chunks_a_second: int | None
    file_types: list[str] | None


class LimitsAnswer(_Limits):
    """What holds; null: without limit."""

    type_check: TypeCheck


class OwnLimitsAnswer(_Limits):
    """The tenant's own row; null: as the default has it."""

    type_check: TypeCheck | None


class UsageAnswer(Answer):
    """What is used; `dayBytes` on `day` (UTC)."""

    open_uploads: int
    stored_bytes: int
    day_bytes: int
    day: str


class QuotasAnswer(Answer):
    """A tenant's limits, its own row of them, and its usage."""

    tenant: str
    limits: LimitsAnswer
    own: OwnLimitsAnswer
    usage: UsageAnswer


_EXAMPLE: Final = {
    "openUploads": 50,
    "bytesADay": 500_000_000_000,
    "largestFile": 100_000_000_000,
    "fileTypes": ["text/*", "application/json", "application/vnd.apache.parquet"],
    "typeCheck": "refuse",
}


@get(
    "/api/quotas",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="getQuotas",
    summary="Read limits and usage",
    tags=["operators"],
    responses=documented(InvalidFieldError, ForbiddenError),
)
async def read_quotas(
    caller: NamedDependency[Caller], stores: NamedDependency[Stores], tenant: Tenant = None
) -> QuotasAnswer:
    """Read what the tenant may use, by its own row or else the default's, and what it uses."""
    wanted = tenant_for(caller, tenant, or_default=True)
    async with stores.pool.connection() as conn:
        own = await quota_rows.own(conn, wanted)
        return _answer(wanted, await quota_rows.standing(conn, wanted), own)


@put(
    "/api/quotas",
    **guarded(Action.GOVERN, RouteClass.ADMIN),
    before_request=check_body,
    operation_id="setQuotas",
    summary="Set limits",
    tags=["operators"],
    responses=documented(MalformedJsonError, InvalidFieldError, ForbiddenError),
)
async def replace_quotas(
    data: Annotated[QuotasRequest, Body(examples=example(_EXAMPLE))],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: Tenant = None,
) -> QuotasAnswer:
    """Replace the tenant's own limits; they hold for the next init.

    What is open or stored already stays, even where it is more than may be from now on.
    """
    wanted = tenant_for(caller, tenant, or_default=True)
    row = QuotaRow(**msgspec.structs.asdict(data))
    return _answer(wanted, await set_quotas(stores, wanted, row, actor=caller.actor), row)


def _answer(tenant: str, standing: Standing, own: QuotaRow) -> QuotasAnswer:
    usage = standing.usage
    return QuotasAnswer(
        tenant=tenant,
        limits=LimitsAnswer(**msgspec.structs.asdict(standing.quotas)),
        own=OwnLimitsAnswer(**msgspec.structs.asdict(own)),
        usage=UsageAnswer(
            open_uploads=usage.open_uploads,
            stored_bytes=usage.stored_bytes,
            day_bytes=usage.day_bytes,
            day=usage.day.isoformat(),
        ),
    )


ROUTES: Final = (read_quotas, replace_quotas)
