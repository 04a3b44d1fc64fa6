"""Who calls: API keys as bearer tokens (RFC 6750)."""

import hmac
import time
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from coordinator.adapters import keys
from coordinator.adapters.postgres import Pool
from coordinator.domain.errors import ForbiddenError, UnauthenticatedError
from coordinator.domain.keys import Scope, hash_of, id_of
from coordinator.domain.uploads import Owner

_CACHE_SECONDS: Final = 5.0  # a revoked key ends within this time, in every process
_CACHE_KEYS: Final = 10_000

UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class Caller(msgspec.Struct, frozen=True):
    """Whoever sent the request, proven by a key."""

    key_id: str
    tenant: str
    user_id: str
    scopes: frozenset[Scope]

    @property
    def owner(self) -> Owner:
        """Whose uploads it may touch: its own, or with ``act-as`` its tenant's."""
        return Owner(self.tenant, None if Scope.ACT_AS in self.scopes else self.user_id)

    def user_for(self, wished: str | None) -> str:
        """Return the user that a new upload belongs to.

        Raises:
            ForbiddenError: another user is named, and the key lacks ``act-as``.

        """
        if wished is None or wished == self.user_id:
            return self.user_id
        if Scope.ACT_AS not in self.scopes:
            raise ForbiddenError(
                "Naming a userId needs a key with the scope act-as.",
                field="userId",
                scope=Scope.ACT_AS,
            )
        return wished


class Keyring:
    """Looks keys up, remembering the good ones for 5 s: the hot path asks Postgres nothing."""

    def __init__(self, pool: Pool, *, secret: str) -> None:
        self._pool = pool
        self._secret = secret
        self._known: dict[bytes, tuple[float, Caller]] = {}

    async def caller(self, text: str) -> Caller:
        """Return who holds the key.

        Raises:
            UnauthenticatedError: it is no key, unknown, expired or revoked.

        """
        key_id = id_of(text)
        if key_id is None:
            raise UnauthenticatedError("Send `Authorization: Bearer ck_…` with a valid API key.")
        hashed = hash_of(text, secret=self._secret)
        kept = self._known.get(hashed)
        if kept and time.monotonic() < kept[0]:
            return kept[1]
        async with self._pool.connection() as conn:
            found = await keys.find_live(conn, key_id)
        if found is None or not hmac.compare_digest(found[1], hashed):
            self._known.pop(hashed, None)
            raise UnauthenticatedError("The API key is unknown, expired or revoked.")
        row = found[0]
        caller = Caller(row.id, row.tenant, row.user_id, frozenset(row.scopes))
        if len(self._known) >= _CACHE_KEYS:
            self._known.clear()
        self._known[hashed] = (time.monotonic() + _CACHE_SECONDS, caller)
        return caller


async def authenticated(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: the request carries a valid key. It runs before the body is looked at."""
    kind, _space, text = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise UnauthenticatedError("Send `Authorization: Bearer ck_…` with a valid API key.")
    keyring: Keyring = connection.app.state.keyring
    connection.state.caller = await keyring.caller(text.strip())


async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """Hand the guard's finding to the handler."""
    caller: Caller = request.state.caller
    return caller
