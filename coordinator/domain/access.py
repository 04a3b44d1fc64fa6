"""Who may do what: roles, scopes, and how far each reaches. The whole table is here.

Rule: a route names an :class:`Action` and no role; what a role may do changes nowhere else.
``docs/roles.md`` and what the OpenAPI document says of roles are generated from this.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final
from uuid import UUID

import msgspec

from coordinator.domain.uploads import Owner


class Role(StrEnum):
    """What a caller is to its tenant."""

    UPLOADER = "uploader"  # sends files, and sees its own
    VIEWER = "viewer"  # sees all of the tenant's, changes nothing
    OPERATOR = "operator"  # a viewer who aborts uploads and runs jobs again
    ADMIN = "admin"  # an operator who decides: keys, retention, holds, erasure, audit
    TOKEN = "upload-token"  # the bearer of an upload token: one upload; nobody is granted it  # noqa: S105
    TRAINER = "trainer"  # whom a job was handed to, by the token that it got; nobody is granted it


GRANTABLE: Final = (Role.UPLOADER, Role.VIEWER, Role.OPERATOR, Role.ADMIN)


class Scope(StrEnum):
    """What a caller may do beyond its roles."""

    ACT_AS = "act-as"  # a backend: it uploads for users that it names
    EVERY_TENANT = "every-tenant"  # the installation's admin: it names the tenant, and sets quotas


class Action(StrEnum):
    """What routes do."""

    OPEN = "open"  # start an upload
    SEND = "send"  # sign, report, complete
    WATCH = "watch"  # status and events of one upload
    ABORT = "abort"  # give up an upload
    READ = "read"  # lists, manifests, jobs, downloads
    RENEW = "renew"  # make a token for an upload
    COUNT = "count"  # statistics
    RETRY = "retry"  # run a job again
    CALL_BACK = "call-back"  # say where a training stands
    ADMINISTER = "administer"  # keys, retention, holds, erasure, audit; look at quotas
    GOVERN = "govern"  # set quotas: no tenant sets its own


class Reach(IntEnum):
    """Whose uploads an action of a role may touch."""

    ONE = 1  # the token's
    OWN = 2  # the caller's user's
    TENANT = 3  # everybody's in the tenant


_READS: Final = {Role.VIEWER: Reach.TENANT, Role.OPERATOR: Reach.TENANT, Role.ADMIN: Reach.TENANT}
_OPERATES: Final = {Role.OPERATOR: Reach.TENANT, Role.ADMIN: Reach.TENANT}

RIGHTS: Final[Mapping[Action, Mapping[Role, Reach]]] = {
    Action.OPEN: {Role.UPLOADER: Reach.OWN},
    Action.SEND: {Role.TOKEN: Reach.ONE, Role.UPLOADER: Reach.OWN},
    Action.WATCH: {Role.TOKEN: Reach.ONE, Role.UPLOADER: Reach.OWN, **_READS},
    Action.ABORT: {Role.TOKEN: Reach.ONE, Role.UPLOADER: Reach.OWN, **_OPERATES},
    Action.READ: {Role.UPLOADER: Reach.OWN, **_READS},
    Action.RENEW: {Role.UPLOADER: Reach.OWN},
    Action.COUNT: {Role.UPLOADER: Reach.OWN, **_READS},
    Action.RETRY: _OPERATES,
    Action.CALL_BACK: {Role.TRAINER: Reach.ONE},
    Action.ADMINISTER: {Role.ADMIN: Reach.TENANT},
    Action.GOVERN: {Role.ADMIN: Reach.TENANT},
}

# What needs a scope, whatever the role.
NEEDS_SCOPE: Final[Mapping[Action, Scope]] = {Action.GOVERN: Scope.EVERY_TENANT}


# Between an actor and the means by which another acts for it: `ck_… via upload-token`.
VIA: Final = " via "


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever sent a request, proven by a key or a token."""

    actor: str  # what the audit calls it: a key's id, a pseudonym, never a name
    tenant: str
    user_id: str
    roles: frozenset[Role]
    scopes: frozenset[Scope] = frozenset()
    upload_id: UUID | None = None  # of an upload token
    job_id: UUID | None = None  # of a trainer's token


def reach(caller: Caller, action: Action) -> Owner | None:
    """Return whose uploads ``caller`` may touch by ``action``; ``None``: it may not at all.

    Without regard to :data:`NEEDS_SCOPE`. A backend reaches its whole tenant where an uploader
    reaches its own.
    """
    rights = RIGHTS[action]
    widest = max((rights[role] for role in caller.roles if role in rights), default=None)
    match widest:
        case None:
            return None
        case Reach.ONE:
            return Owner(caller.tenant, caller.user_id, caller.upload_id)
        case Reach.OWN if Scope.ACT_AS not in caller.scopes:
            return Owner(caller.tenant, caller.user_id)
        case _:
            return Owner(caller.tenant, None)


def roles_for(action: Action) -> list[Role]:
    """Return the roles that may do it, the least first."""
    return [role for role in Role if role in RIGHTS[action]]
