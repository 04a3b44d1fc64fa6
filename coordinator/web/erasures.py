"""``/api/erasures``: removing an upload, or all that is a user's, and the reports of that."""

from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter

from coordinator.adapters import erasures as erasure_rows
from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.erasures import NewErasure
from coordinator.adapters.stores import Stores
from coordinator.domain import cursors, ids
from coordinator.domain.access import Action, Caller
from coordinator.domain.erasures import Erasure
from coordinator.domain.errors import (
    ErasureNotFoundError,
    ForbiddenError,
    HeldError,
    InvalidFieldError,
    MalformedJsonError,
    UploadNotFoundError,
)
from coordinator.domain.limits import RouteClass
from coordinator.operations.request_erasure import request_erasure
from coordinator.web.auth import NamedTenant, UserId, guarded, tenant_for
from coordinator.web.bodies import check_body
from coordinator.web.documented import documented, example
from coordinator.web.shapes import Answer, Strict, Timestamp, stamp, stamp_or_null

_PAGE: Final = 100


class ErasureRequest(Strict, kw_only=True):
    """What to erase: one upload, or a user; `dryRun` counts and removes nothing."""

    upload_id: str | None = None
    user_id: UserId | None = None
    dry_run: bool = False


class ErasureReport(Answer):
    """What was removed (dry run: would be). `held` stay; `refused` versions are kept by S3."""

    uploads: int
    objects: int
    versions: int
    bytes: int
    multiparts: int
    manifests: int
    jobs: int
    queue_entries: int
    held: list[str]
    remaining: int
    refused: int


class ErasureAnswer(Answer):
    """An erasure; `userId` is null once the person is erased."""

    erasure_id: str
    status: Literal["running", "finished"]
    upload_id: str | None
    user_id: str | None
    cause: str
    dry_run: bool
    requested_by: str
    requested_at: Timestamp
    finished_at: Timestamp | None
    report: ErasureReport


class ErasuresAnswer(Answer):
    """A page, newest first; `nextCursor` is null on the last."""

    erasures: list[ErasureAnswer]
    next_cursor: str | None


_EXAMPLE: Final = {"userId": "alice", "dryRun": True}


@post(
    "/api/erasures",
    status_code=202,
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    before_request=check_body,
    operation_id="requestErasure",
    summary="Erase an upload or a user",
    tags=["erasures"],
    responses=documented(
        MalformedJsonError, InvalidFieldError, ForbiddenError, UploadNotFoundError, HeldError
    ),
)
async def request(
    data: Annotated[ErasureRequest, Body(examples=example(_EXAMPLE))],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
) -> ErasureAnswer:
    """Remove an upload, or everything of a user: objects with all their versions, rows, jobs.

    The upload is gone for everybody at once, a worker removes the rest. Asking again while that is
    under way answers the same erasure; what is gone already is erased by finding nothing. Of a user
    the API keys are revoked and the pseudonym in the audit loses its key. Uploads on hold stay.
    """
    new = NewErasure(
        id=new_uuid(),
        tenant=tenant_for(caller, tenant),
        upload_id=_named_upload(data),
        user_id=data.user_id,
        is_dry_run=data.dry_run,
        requested_by=caller.actor,
    )
    return _answer(await request_erasure(stores, new))


@get(
    "/api/erasures",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="listErasures",
    summary="List erasures",
    tags=["erasures"],
    responses=documented(InvalidFieldError, ForbiddenError),
)
async def list_erasures(
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> ErasuresAnswer:
    """List the tenant's erasures, newest first, those by retention too."""
    wanted = tenant_for(caller, tenant)
    after = None if cursor is None else cursors.decode(cursor)
    async with stores.pool.connection() as conn:
        rows = await erasure_rows.newest(conn, wanted, after=after, limit=limit + 1)
    page = rows[:limit]
    more = len(rows) > limit
    return ErasuresAnswer(
        erasures=[_answer(row) for row in page],
        next_cursor=cursors.encode(page[-1].requested_at, page[-1].id) if more else None,
    )


@get(
    "/api/erasures/{erasure_id:str}",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="getErasure",
    summary="Read an erasure's report",
    tags=["erasures"],
    responses=documented(InvalidFieldError, ForbiddenError, ErasureNotFoundError),
)
async def read(
    erasure_id: FromPath[str],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
) -> ErasureAnswer:
    """Read how far it is and what it has removed; the report outlives what it is about."""
    wanted = ids.decode(ids.ERASURE, erasure_id)
    if wanted is None:
        raise ErasureNotFoundError
    async with stores.pool.connection() as conn:
        return _answer(await erasure_rows.read(conn, wanted, tenant_for(caller, tenant)))


def _named_upload(data: ErasureRequest) -> UUID | None:
    if (data.upload_id is None) == (data.user_id is None):
        raise InvalidFieldError("uploadId", "Name either an uploadId or a userId.")
    if data.upload_id is None:
        return None
    wanted = ids.decode(ids.UPLOAD, data.upload_id)
    if wanted is None:
        raise UploadNotFoundError
    return wanted


def _answer(erasure: Erasure) -> ErasureAnswer:
    upload_id = erasure.upload_id
    return ErasureAnswer(
        erasure_id=ids.encode(ids.ERASURE, erasure.id),
        status="running" if erasure.finished_at is None else "finished",
        upload_id=None if upload_id is None else ids.encode(ids.UPLOAD, upload_id),
        user_id=erasure.user_id,
        cause=erasure.cause,
        dry_run=erasure.is_dry_run,
        requested_by=erasure.requested_by,
        requested_at=stamp(erasure.requested_at),
        finished_at=stamp_or_null(erasure.finished_at),
        report=ErasureReport(**msgspec.structs.asdict(erasure.report)),
    )


ROUTES: Final = (request, list_erasures, read)
