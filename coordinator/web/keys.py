"""``/api/keys``: the tenant's API keys. A key's text is shown once, when it is made."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter

from coordinator.adapters import keys as key_rows
from coordinator.adapters.keys import KeyRow
from coordinator.adapters.stores import Stores
from coordinator.domain import cursors
from coordinator.domain.access import Action, Caller, Role, Scope
from coordinator.domain.errors import (
    ForbiddenError,
    InvalidFieldError,
    KeyNotFoundError,
    KeyRotatedError,
    MalformedJsonError,
)
from coordinator.domain.keys import key_of, number_of
from coordinator.domain.limits import RouteClass
from coordinator.domain.names import is_one_line, is_plain
from coordinator.operations.manage_keys import (
    GRACE,
    KeyWish,
    Made,
    create_key,
    revoke_key,
    rotate_key,
)
from coordinator.settings import Settings
from coordinator.web.auth import NamedTenant, guarded, tenant_for
from coordinator.web.bodies import check_body
from coordinator.web.documented import documented, example
from coordinator.web.shapes import Answer, Strict, Timestamp, stamp, stamp_or_null

_PAGE: Final = 100
_HOUR: Final = timedelta(hours=1)
_DEFAULT_GRACE: Final = GRACE // _HOUR
_LONGEST_GRACE: Final = 30 * 24
Grantable = Literal["uploader", "viewer", "operator", "admin"]


class CreateKeyRequest(Strict, kw_only=True):
    """The key that is wished for; without `expiresInDays` it ends by revocation only."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    user_id: Annotated[
        str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9._@+-]{1,64}$(?!\n)")
    ] = "default"
    roles: Annotated[list[Grantable], msgspec.Meta(min_length=1, max_length=4)] = msgspec.field(
        default_factory=lambda: ["uploader"]
    )
    scopes: Annotated[list[Scope], msgspec.Meta(max_length=2)] = msgspec.field(default_factory=list)
    expires_in_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None


class RotateKeyRequest(Strict):
    """For how long the old key goes on."""

    grace_hours: Annotated[int, msgspec.Meta(ge=0, le=_LONGEST_GRACE)] = _DEFAULT_GRACE


class KeyAnswer(Answer):
    """A key without its secret."""

    key_id: str
    name: str
    tenant: str
    user_id: str
    roles: list[Role]
    scopes: list[Scope]
    created_at: Timestamp
    created_by: str | None
    last_used_at: Timestamp | None
    expires_at: Timestamp | None
    revoked_at: Timestamp | None
    replaced_by: str | None

    @staticmethod
    def of(row: KeyRow) -> "KeyAnswer":
        """Convert a row."""
        return KeyAnswer(
            key_id=row.id,
            name=row.name,
            tenant=row.tenant,
            user_id=row.user_id,
            roles=row.roles,
            scopes=row.scopes,
            created_at=stamp(row.created_at),
            created_by=row.created_by,
            last_used_at=stamp_or_null(row.last_used_at),
            expires_at=stamp_or_null(row.expires_at),
            revoked_at=stamp_or_null(row.revoked_at),
            replaced_by=row.replaced_by,
        )


class NewKeyAnswer(KeyAnswer):
    """A key with its text, this once."""

    key: str

    __repr__ = object.__repr__


class KeysAnswer(Answer):
    """A page, newest first; `nextCursor` is null on the last."""

    keys: list[KeyAnswer]
    next_cursor: str | None


_EXAMPLE: Final = {"name": "nightly import", "userId": "importer", "roles": ["uploader"]}


_GRACE: Final = {"graceHours": 1}


@post(
    "/api/keys",
    status_code=201,
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    before_request=check_body,
    operation_id="createKey",
    summary="Create an API key",
    tags=["keys"],
    responses=documented(MalformedJsonError, InvalidFieldError, ForbiddenError),
)
async def create(
    data: Annotated[CreateKeyRequest, Body(examples=example(_EXAMPLE))],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    settings: NamedDependency[Settings],
    tenant: NamedTenant = None,
) -> Response[NewKeyAnswer]:
    """Make a key of the tenant. `key` is shown in this answer and never again."""
    made = await create_key(
        stores.pool,
        _wish(data, tenant_for(caller, tenant)),
        secret=settings.secret,
        actor=caller.actor,
        grantable=_grantable(caller),
    )
    return Response(_new(made), status_code=201)


@get(
    "/api/keys",
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="listKeys",
    summary="List API keys",
    tags=["keys"],
    responses=documented(InvalidFieldError, ForbiddenError),
)
async def list_keys(
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> KeysAnswer:
    """List the tenant's keys, newest first, those that have ended too; never what proves them."""
    wanted = tenant_for(caller, tenant)
    after = None if cursor is None else _place(cursor)
    async with stores.pool.connection() as conn:
        rows = await key_rows.newest(conn, tenant=wanted, after=after, limit=limit + 1)
    page = rows[:limit]
    return KeysAnswer(
        keys=[KeyAnswer.of(row) for row in page],
        next_cursor=_cursor(page[-1]) if len(rows) > limit else None,
    )


@post(
    "/api/keys/{key_id:str}/rotate",
    status_code=201,
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    before_request=check_body,
    operation_id="rotateKey",
    summary="Rotate an API key",
    tags=["keys"],
    responses=documented(
        MalformedJsonError, InvalidFieldError, ForbiddenError, KeyNotFoundError, KeyRotatedError
    ),
)
async def rotate(
    *,
    key_id: FromPath[str],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    settings: NamedDependency[Settings],
    data: Annotated[RotateKeyRequest | None, Body(examples=example(_GRACE))] = None,
    tenant: NamedTenant = None,
) -> Response[NewKeyAnswer]:
    """Make a key for the same tenant, user, roles, scopes and expiry.

    The old one goes on for `graceHours` (24 unless told), so that whoever uses it has time to
    change over; 0 ends it within 5 s. It is rotated once.
    """
    asked = data or RotateKeyRequest()
    made = await rotate_key(
        stores.pool,
        key_id,
        tenant=tenant_for(caller, tenant),
        grace=asked.grace_hours * _HOUR,
        secret=settings.secret,
        actor=caller.actor,
        grantable=_grantable(caller),
    )
    return Response(_new(made), status_code=201)


@delete(
    "/api/keys/{key_id:str}",
    status_code=204,
    **guarded(Action.ADMINISTER, RouteClass.ADMIN),
    operation_id="revokeKey",
    summary="Revoke an API key",
    tags=["keys"],
    responses=documented(InvalidFieldError, ForbiddenError, KeyNotFoundError),
)
async def revoke(
    key_id: FromPath[str],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
    tenant: NamedTenant = None,
) -> None:
    """End a key within 5 s, and with it the upload tokens that it made."""
    wanted = tenant_for(caller, tenant)
    await revoke_key(stores.pool, key_id, tenant=wanted, actor=caller.actor)


def _wish(data: CreateKeyRequest, tenant: str) -> KeyWish:
    if not is_one_line(data.name):
        raise InvalidFieldError("name", "A name has no control characters and no line breaks.")
    if not is_plain(data.user_id):  # which its pattern allows, of dots alone
        raise InvalidFieldError("userId", "Letters, digits and . _ @ + -, at most 64.")
    days = data.expires_in_days
    return KeyWish(
        name=data.name,
        tenant=tenant,
        user_id=data.user_id,
        roles=[role for role in Role if role in data.roles],
        scopes=[scope for scope in Scope if scope in data.scopes],
        lifetime=None if days is None else timedelta(days=days),
    )


def _grantable(caller: Caller) -> frozenset[Scope]:
    """Nobody gives what is above them: a tenant's admin has the tenant, and no other."""
    every = frozenset(Scope)
    return every if Scope.EVERY_TENANT in caller.scopes else every - {Scope.EVERY_TENANT}


def _new(made: Made) -> NewKeyAnswer:
    return NewKeyAnswer(key=made.text, **msgspec.structs.asdict(KeyAnswer.of(made.row)))


def _cursor(row: KeyRow) -> str:
    return cursors.encode(row.created_at, number_of(row.id))


def _place(cursor: str) -> tuple[datetime, str]:
    at, number = cursors.decode(cursor)
    return at, key_of(number)


ROUTES: Final = (create, list_keys, rotate, revoke)
