"""Who may call a route: authentication, then the table of :mod:`coordinator.domain.access`."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from coordinator.domain.access import NEEDS_SCOPE, Action, Caller, Scope, reach, roles_for
from coordinator.domain.errors import (
    ForbiddenError,
    InvalidFieldError,
    RoleMissingError,
    UnauthenticatedError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.names import USER_PATTERN, is_plain
from coordinator.domain.quotas import DEFAULT_TENANT
from coordinator.domain.uploads import Owner
from coordinator.operations.authenticate import HOW, Authenticator
from coordinator.web.documented import operation_for
from coordinator.web.limits import Limits, Visit

UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=USER_PATTERN)]
NamedTenant = Annotated[
    str | None,
    QueryParameter(
        max_length=64, description="Another tenant than the caller's: needs `every-tenant`."
    ),
]

_ACTION: Final = "action"
_CLASS: Final = "route_class"


def guarded(action: Action, route_class: RouteClass) -> dict[str, Any]:
    """Return what a route's decorator needs: its guard, its limits, what its document says.

    The guard runs before the body is looked at. Afterwards the handler can ask for ``caller`` and
    for ``owner``: whose uploads the caller may touch by ``action``.
    """
    return {
        "guards": [_guard],
        "opt": {_ACTION: action, _CLASS: route_class},
        "operation_class": operation_for(action),
    }


async def _guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    action: Action = handler.opt[_ACTION]
    limits: Limits = connection.app.state.limits
    caller = await _admitted(connection, limits.visit(connection, handler.opt[_CLASS]))
    connection.state.caller = caller
    connection.state.owner = allowed(caller, action)


async def _admitted(connection: ASGIConnection[Any, Any, Any, Any], visit: Visit) -> Caller:
    """Prove the caller, within the limits of its address and its user.

    A caller that is remembered costs one round trip. Of any other the address is admitted before
    Postgres is asked, so that trying keys ends at Redis.
    """
    authenticator: Authenticator = connection.app.state.authenticator
    credential = _bearer(connection)
    caller = authenticator.remembered(credential)
    if caller is not None:
        await visit.admit(caller)
        return caller
    await visit.admit_stranger(credential)
    try:
        caller = await authenticator.caller(credential_of(connection))
    except UnauthenticatedError:
        await visit.note_failure()
        raise
    await visit.admit_user(caller)
    return caller


def credential_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Read the bearer credential.

    Raises:
        UnauthenticatedError: there is none, or more than one: a proxy may have judged by the other.

    """
    credential = _bearer(connection)
    if not credential:
        raise UnauthenticatedError(HOW)
    return credential


def _bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    sent = connection.headers.getall("authorization", [])
    kind, _space, text = sent[0].partition(" ") if len(sent) == 1 else ("", "", "")
    # No other kind of space is one of HTTP's.
    return text.strip(" \t") if kind.lower() == "bearer" else ""


def allowed(caller: Caller, action: Action) -> Owner:
    """Return whose uploads ``caller`` may touch by ``action``.

    Raises:
        RoleMissingError: none of its roles may do that.
        ForbiddenError: it lacks a scope.

    """
    owner = reach(caller, action)
    if owner is None:
        raise RoleMissingError(roles_for(action))
    scope = NEEDS_SCOPE.get(action)
    if scope is not None and scope not in caller.scopes:
        raise ForbiddenError(f"This needs the scope {scope}.", scope=scope)
    return owner


def user_for(caller: Caller, wished: str | None) -> str:
    """Return the user that a new upload belongs to.

    Raises:
        ForbiddenError: another user is named, and the caller lacks ``act-as``.

    """
    if wished is None or wished == caller.user_id:
        return caller.user_id
    if Scope.ACT_AS not in caller.scopes:
        raise ForbiddenError(
            "Naming a userId needs the scope act-as.", field="userId", scope=Scope.ACT_AS
        )
    return wished


def tenant_for(caller: Caller, wished: str | None, *, or_default: bool = False) -> str:
    """Return the tenant that an admin's request is about: its own, unless it names another.

    ``or_default``: ``*``, whose quotas are all tenants' default, can be named as well.

    Raises:
        ForbiddenError: another tenant is named, and the caller lacks ``every-tenant``.
        InvalidFieldError: no tenant can have that name.

    """
    if wished is None or wished == caller.tenant:
        return caller.tenant
    if Scope.EVERY_TENANT not in caller.scopes:
        raise ForbiddenError(
            "Naming a tenant needs the scope every-tenant.",
            field="tenant",
            scope=Scope.EVERY_TENANT,
        )
    if not is_plain(wished) and not (or_default and wished == DEFAULT_TENANT):
        raise InvalidFieldError("tenant", "Letters, digits and . _ @ + -, at most 64.")
    return wished


async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """Hand the guard's finding to the handler."""
    caller: Caller = request.state.caller
    return caller


async def provide_owner(request: Request[Any, Any, Any]) -> Owner:
    """Hand to the handler whose uploads its caller may touch."""
    owner: Owner = request.state.owner
    return owner
