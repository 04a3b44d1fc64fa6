"""Every refused access passes here on its way out, whether a guard or a handler refused it."""

from typing import Final

from litestar.types import Scope

from coordinator.domain.access import Caller
from coordinator.domain.errors import ForbiddenError, RoleMissingError, UnauthenticatedError
from coordinator.operations.note_refusal import Bearer, Refusals

_ACCESS: Final = (UnauthenticatedError, ForbiddenError, RoleMissingError)


async def note_refused(exc: Exception, scope: Scope) -> None:
    """Note it, by the route's template: a path may hold ids."""
    if not isinstance(exc, _ACCESS):
        return
    refusals: Refusals = scope["litestar_app"].state.refusals
    route = str(scope.get("path_template") or "unknown")
    await refusals.note(_bearer(exc, scope), route=route, code=exc.code)


def _bearer(exc: Exception, scope: Scope) -> Bearer | None:
    if isinstance(exc, UnauthenticatedError):
        return None if exc.was is None else Bearer(*exc.was)
    caller: Caller | None = scope.get("state", {}).get("caller")
    return None if caller is None else Bearer(caller.actor, caller.tenant, caller.user_id)
