"""``GET /api/audit``: the audit of a tenant, for whoever must see what was done."""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from litestar import Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from coordinator.adapters import audit_chain
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.access import Action, Caller
from coordinator.domain.errors import ForbiddenError, InvalidFieldError
from coordinator.domain.limits import RouteClass
from coordinator.operations import export_audit
from coordinator.operations.export_audit import Place
from coordinator.web.auth import NamedTenant, guarded, tenant_for
from coordinator.web.documented import documented

_FEWEST: Final = 100  # every page is noted, so that pages of one row would never end
_MOST: Final = 10_000
_USUAL: Final = 1_000
NEXT: Final = "X-Next-Cursor"


@get(
    "/api/audit",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="exportAudit",
    summary="Export the audit",
    tags=["operators"],
    media_type="application/x-ndjson",
    response_headers=[
        ResponseHeader(
            name=NEXT,
            description="The next page's cursor; not there on the last.",
            documentation_only=True,
        )
    ],
    responses=documented(InvalidFieldError, ForbiddenError),
)
async def export(
    *,
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
    since: Annotated[
        datetime | None, QueryParameter(description="Only from then on; UTC where none is named.")
    ] = None,
    upload_id: Annotated[
        str | None,
        QueryParameter(
            name="uploadId",
            max_length=64,
            description="Only what is about this upload, which may be erased; without places.",
        ),
    ] = None,
    limit: Annotated[int, QueryParameter(ge=_FEWEST, le=_MOST)] = _USUAL,
    cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> Response[bytes]:
    """Export rows as JSON, one a line, the oldest first, each with its place in the hash chain.

    Rows that are not chained yet come last, without a place. The export itself is noted.
    """
    named = tenant_for(caller, tenant, or_default=True)
    start = Place() if cursor is None else export_audit.decode(cursor)
    if upload_id is not None:
        page = await export_audit.read_of_upload(
            stores, named, _known(upload_id), start, limit=limit, actor=caller.actor
        )
    else:
        if cursor is None and since is not None:
            start = await _start(stores, named, since)
        page = await export_audit.export_audit(
            stores, named, start, limit=limit, actor=caller.actor
        )
    headers = {} if page.next is None else {NEXT: export_audit.encode(page.next)}
    return Response(page.lines, headers=headers)


def _known(text: str) -> UUID:
    upload_id = ids.decode(ids.UPLOAD, text)
    if upload_id is None:
        raise InvalidFieldError("uploadId", "Send the id of an upload: upl_ and 26 characters.")
    return upload_id


async def _start(stores: Stores, named: str, since: datetime) -> Place:
    moment = since if since.tzinfo else since.replace(tzinfo=UTC)
    async with stores.pool.connection() as conn:
        return Place(await audit_chain.position_before(conn, named, moment))


ROUTES: Final = (export,)
