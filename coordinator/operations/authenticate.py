"""Find out who calls: by an API key, an upload token, or the bearer token of an issuer (RFC 6750).

Whoever was found is remembered for 5 s: the hot path asks Postgres nothing, and what was revoked
ends within this time in every process.
"""

import hashlib
import hmac
import time
from typing import Final

from coordinator.adapters import keys
from coordinator.adapters.postgres import Pool
from coordinator.domain.access import Caller
from coordinator.domain.errors import UnauthenticatedError
from coordinator.domain.keys import hash_of, id_of

_KEPT_SECONDS: Final = 5.0
_KEPT_CALLERS: Final = 10_000

HOW: Final = "Send `Authorization: Bearer …` with a valid API key or token."


class Authenticator:
    """Proves callers. One a process; ``secret`` keys the hashes of API keys."""

    def __init__(self, pool: Pool, *, secret: str) -> None:
        self._pool = pool
        self._secret = secret
        self._kept: dict[bytes, tuple[float, Caller]] = {}

    def remembered(self, credential: str) -> Caller | None:
        """Return whom ``credential`` proved within the last 5 s, without asking anybody."""
        kept = self._kept.get(_fingerprint(credential))
        return kept[1] if kept and time.monotonic() < kept[0] else None

    async def caller(self, credential: str) -> Caller:
        """Return whose credential it is.

        Raises:
            UnauthenticatedError: it is none, unknown, expired or revoked.

        """
        caller = self.remembered(credential)
        if caller is not None:
            return caller
        fingerprint = _fingerprint(credential)
        self._kept.pop(fingerprint, None)
        caller = await self._prove(credential)
        if len(self._kept) >= _KEPT_CALLERS:
            self._kept.clear()
        self._kept[fingerprint] = (time.monotonic() + _KEPT_SECONDS, caller)
        return caller

    async def _prove(self, credential: str) -> Caller:
        key_id = id_of(credential)
        if key_id is not None:
            return await self._of_key(key_id, credential)
        raise UnauthenticatedError(HOW)

    async def _of_key(self, key_id: str, text: str) -> Caller:
        async with self._pool.connection() as conn:
            found = await keys.find_live(conn, key_id)
        if found is None or not hmac.compare_digest(found[1], hash_of(text, secret=self._secret)):
            raise UnauthenticatedError("The API key is unknown, expired or revoked.")
        row = found[0]
        return Caller(
            actor=row.id,
            tenant=row.tenant,
            user_id=row.user_id,
            roles=frozenset(row.roles),
            scopes=frozenset(row.scopes),
        )


def _fingerprint(credential: str) -> bytes:
    """No credential stays in memory longer than its request."""
    return hashlib.sha256(credential.encode(errors="surrogateescape")).digest()
