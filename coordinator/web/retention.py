"""``/api/retention`` and ``/api/uploads/{uploadId}/hold``: how long uploads are kept."""

from typing import Annotated, Final, Literal

import msgspec
from litestar import delete, get, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath

from coordinator.adapters import retention as rules
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action, Caller
from coordinator.domain.errors import (
    ForbiddenError,
    InvalidFieldError,
    MalformedJsonError,
    UploadNotFoundError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.hold_upload import hold_upload
from coordinator.operations.set_retention import set_retention
from coordinator.web.auth import NamedTenant, guarded, tenant_for
from coordinator.web.bodies import check_body
from coordinator.web.documented import documented, example
from coordinator.web.shapes import Answer, Strict, known_upload

_MOST_RULES: Final = 100


class RetentionRule(Strict, kw_only=True):
    """COMPLETED uploads of `purpose` (`*`: of all others) so many days after they were."""

    purpose: Annotated[
        str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^(\*|[A-Za-z0-9._-]+)$(?!\n)")
    ]
    after_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)]
    action: Literal["delete", "archive"]


class RetentionRequest(Strict):
    """All rules of the tenant, in place of those it had."""

    rules: Annotated[list[RetentionRule], msgspec.Meta(max_length=_MOST_RULES)]


class RetentionAnswer(Answer):
    """The tenant's rules; without one for its purpose, and without `*`, an upload is kept."""

    tenant: str
    rules: list[RetentionRule]


class DueAnswer(Answer):
    """What one rule would do now."""

    purpose: str
    action: str
    uploads: int
    bytes: int


class PreviewAnswer(Answer):
    """What the rules would do now, rule by rule; uploads on hold are left out."""

    tenant: str
    due: list[DueAnswer]


class HoldRequest(Strict):
    """The case for which an upload must be kept."""

    case: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+$(?!\n)")]


class HoldAnswer(Answer):
    """An upload on hold."""

    upload_id: str
    case: str


_RULES: Final = {"rules": [{"purpose": "archive", "afterDays": 365, "action": "archive"}]}
_CASE: Final = {"case": "2026-117"}


@get(
    "/api/retention",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="getRetention",
    summary="Read the retention rules",
    tags=["retention"],
    responses=documented(InvalidFieldError, ForbiddenError),
)
async def show(
    caller: NamedDependency[Caller], stores: NamedDependency[Stores], tenant: NamedTenant = None
) -> RetentionAnswer:
    """Read the tenant's rules."""
    wanted = tenant_for(caller, tenant)
    async with stores.pool.connection() as conn:
        return _answer(wanted, await rules.read(conn, wanted))


@put(
    "/api/retention",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    before_request=check_body,
    operation_id="setRetention",
    summary="Set the retention rules",
    tags=["retention"],
    responses=documented(MalformedJsonError, InvalidFieldError, ForbiddenError),
)
async def change(
    data: Annotated[RetentionRequest, Body(examples=example(_RULES))],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
) -> RetentionAnswer:
    """Replace the tenant's rules. A worker applies them within the hour.

    An upload's purpose is its `metadata.purpose`, without one `archive`; a rule for the purpose
    goes before `*`. `delete` erases; `archive` tags the object `coordinator-archive=true` for the
    bucket's lifecycle to move.
    """
    wanted = tenant_for(caller, tenant)
    if len({rule.purpose for rule in data.rules}) != len(data.rules):
        raise InvalidFieldError("rules", "A purpose stands twice in the list.")
    asked = [rules.Rule(**msgspec.structs.asdict(rule)) for rule in data.rules]
    return _answer(wanted, await set_retention(stores, wanted, asked, actor=caller.actor))


@get(
    "/api/retention/preview",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="previewRetention",
    summary="Read what retention would do",
    tags=["retention"],
    responses=documented(InvalidFieldError, ForbiddenError),
)
async def preview(
    caller: NamedDependency[Caller], stores: NamedDependency[Stores], tenant: NamedTenant = None
) -> PreviewAnswer:
    """Count the uploads and bytes that each rule applies to now."""
    wanted = tenant_for(caller, tenant)
    async with stores.pool.connection() as conn:
        due = await rules.preview(conn, wanted)
    return PreviewAnswer(
        tenant=wanted, due=[DueAnswer(**msgspec.structs.asdict(each)) for each in due]
    )


@put(
    "/api/uploads/{upload_id:str}/hold",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    before_request=check_body,
    operation_id="holdUpload",
    summary="Put an upload on hold",
    tags=["retention"],
    responses=documented(
        MalformedJsonError, InvalidFieldError, ForbiddenError, UploadNotFoundError
    ),
)
async def hold(
    upload_id: FromPath[str],
    data: Annotated[HoldRequest, Body(examples=example(_CASE))],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
) -> HoldAnswer:
    """Keep an upload for a case: no erasure, no retention, no abort until the hold is lifted.

    An upload that is still open expires all the same.
    """
    owner = Owner(tenant_for(caller, tenant), None)
    wanted = known_upload(upload_id, owner)
    await hold_upload(stores, wanted, owner, case=data.case, actor=caller.actor)
    return HoldAnswer(upload_id=upload_id, case=data.case)


@delete(
    "/api/uploads/{upload_id:str}/hold",
    status_code=204,
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="liftHold",
    summary="Lift a hold",
    tags=["retention"],
    responses=documented(InvalidFieldError, ForbiddenError, UploadNotFoundError),
)
async def unhold(
    upload_id: FromPath[str],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
) -> None:
    """Let the upload go its way again; one that is not on hold is fine."""
    owner = Owner(tenant_for(caller, tenant), None)
    wanted = known_upload(upload_id, owner)
    await hold_upload(stores, wanted, owner, case=None, actor=caller.actor)


def _answer(tenant: str, found: list[rules.Rule]) -> RetentionAnswer:
    return RetentionAnswer(
        tenant=tenant,
        rules=[RetentionRule(**msgspec.structs.asdict(rule)) for rule in found],
    )


ROUTES: Final = (show, change, preview, hold, unhold)
