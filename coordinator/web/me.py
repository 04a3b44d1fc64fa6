"""``GET /api/me``: who the caller is to this service, so that a page shows what it may do."""

from typing import Final, Literal

from litestar import get
from litestar.di import NamedDependency

from coordinator.domain import ids
from coordinator.domain.access import NEEDS_SCOPE, Action, Caller, Role, Scope, reach
from coordinator.domain.limits import RouteClass
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.shapes import Answer

Whose = Literal["upload", "own", "tenant"]


class MeAnswer(Answer):
    """The caller. `may` has each action that it may do, and to whose uploads.

    `upload`: to `uploadId` alone, of a token. What is not there is refused.
    """

    tenant: str
    user_id: str
    roles: list[Role]
    scopes: list[Scope]
    may: dict[Action, Whose]
    upload_id: str | None


@get(
    "/api/me",
    **guarded(Action.WATCH, RouteClass.READ),
    operation_id="whoAmI",
    summary="Read who the caller is",
    tags=["uploads"],
    responses=documented(),
)
async def whoami(caller: NamedDependency[Caller]) -> MeAnswer:
    """Read the roles and scopes of the key or token, and what they let it do."""
    allowed = {action: whose for action in Action if (whose := _whose(caller, action)) is not None}
    token_of = caller.upload_id
    return MeAnswer(
        tenant=caller.tenant,
        user_id=caller.user_id,
        roles=sorted(caller.roles),
        scopes=sorted(caller.scopes),
        may=allowed,
        upload_id=None if token_of is None else ids.encode(ids.UPLOAD, token_of),
    )


def _whose(caller: Caller, action: Action) -> Whose | None:
    owner, scope = reach(caller, action), NEEDS_SCOPE.get(action)
    if owner is None or (scope is not None and scope not in caller.scopes):
        return None
    if owner.only is not None:
        return "upload"
    return "tenant" if owner.user is None else "own"


ROUTES: Final = (whoami,)
