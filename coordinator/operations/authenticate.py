"""Find out who calls: by an API key, a token of ours, or the bearer token of an issuer (RFC 6750).

Whoever was found is remembered for 5 s: the hot path asks Postgres nothing, and what was revoked
ends within this time in every process.
"""

import hashlib
import hmac
import time
from typing import Final, NamedTuple

import structlog

from coordinator.adapters import keys, trainings
from coordinator.adapters import upload_tokens as token_rows
from coordinator.adapters.issuer_keys import IssuerAwayError
from coordinator.adapters.issuers import NO_ISSUERS, Issuers
from coordinator.adapters.postgres import Pool, read_time, transaction
from coordinator.adapters.pseudonyms import pseudonym_of
from coordinator.domain import callback_tokens, ids, upload_tokens
from coordinator.domain.access import VIA, Caller, Role
from coordinator.domain.bearer_tokens import TokenRefusedError, has_form
from coordinator.domain.claims import identity_of, seconds_left
from coordinator.domain.errors import UnauthenticatedError, UnavailableError
from coordinator.domain.keys import hash_of, id_of

_KEPT_SECONDS: Final = 5.0
_KEPT_CALLERS: Final = 10_000

HOW: Final = "Send `Authorization: Bearer …` with a valid API key or token."

_NO_KEY: Final = "The API key is unknown, expired or revoked."
_NOT_GOOD: Final = "The upload token is none of ours, has expired, or its maker was revoked."

# All that whoever sends a token learns; the log says more.
_NOT_ACCEPTED: Final = "The token is not accepted."

_log = structlog.get_logger(__name__)


class _Proven(NamedTuple):
    """A caller, and for how long its credential is good; what does not expire is good for now."""

    caller: Caller
    seconds_left: float = _KEPT_SECONDS


class Authenticator:
    """Proves callers. One a process; ``secret`` keys the hashes of API keys."""

    def __init__(self, pool: Pool, *, secret: str, issuers: Issuers = NO_ISSUERS) -> None:
        self._pool = pool
        self._secret = secret
        self._issuers = issuers
        self._kept: dict[bytes, tuple[float, Caller]] = {}

    def remembered(self, credential: str) -> Caller | None:
        """Return whom ``credential`` proved within the last 5 s, without asking anybody."""
        kept = self._kept.get(_fingerprint(credential))
        return kept[1] if kept and time.monotonic() < kept[0] else None

    async def caller(self, credential: str) -> Caller:
        """Return whose credential it is.

        Raises:
            UnauthenticatedError: it is none, unknown, expired or revoked.
            UnavailableError: it is a token whose issuer does not answer.

        """
        caller = self.remembered(credential)
        if caller is not None:
            return caller
        fingerprint = _fingerprint(credential)
        self._kept.pop(fingerprint, None)
        begun = time.monotonic()
        proven = await self._prove(credential)
        if len(self._kept) >= _KEPT_CALLERS:
            self._kept.clear()
        seconds = min(proven.seconds_left, _KEPT_SECONDS)
        self._kept[fingerprint] = (begun + seconds, proven.caller)
        return proven.caller

    async def _prove(self, credential: str) -> _Proven:
        key_id = id_of(credential)
        if key_id is not None:
            return _Proven(await self._of_key(key_id, credential))
        if credential.startswith(upload_tokens.PREFIX):
            return await self._of_upload_token(credential)
        if credential.startswith(callback_tokens.PREFIX):
            return await self._of_trainer(credential)
        if self._issuers and has_form(credential):
            return await self._of_issuer(credential)
        raise UnauthenticatedError(HOW)

    async def _of_key(self, key_id: str, text: str) -> Caller:
        given = hash_of(text, secret=self._secret)
        async with self._pool.connection() as conn:
            found = await keys.find(conn, key_id, key_hash=given)
        if found is None or not hmac.compare_digest(found[1], given):
            raise UnauthenticatedError(_NO_KEY)
        row = found[0]
        if not row.is_live:
            raise UnauthenticatedError(_NO_KEY, was=(row.id, row.tenant, row.user_id))
        return Caller(
            actor=row.id,
            tenant=row.tenant,
            user_id=row.user_id,
            roles=frozenset(row.roles),
            scopes=frozenset(row.scopes),
        )

    async def _of_upload_token(self, text: str) -> _Proven:
        token = upload_tokens.read(text, secret=self._secret)
        if token is None:
            raise UnauthenticatedError(_NOT_GOOD)
        async with self._pool.connection() as conn:
            seconds = await token_rows.seconds_left(conn, token)
        if seconds is None:
            raise UnauthenticatedError(_NOT_GOOD)
        caller = Caller(
            actor=f"{token.maker}{VIA}{Role.TOKEN}",
            tenant=token.tenant,
            user_id=token.user_id,
            roles=frozenset({Role.TOKEN}),
            upload_id=token.upload_id,
        )
        return _Proven(caller, seconds)

    async def _of_trainer(self, text: str) -> _Proven:
        job_id = callback_tokens.read(text, secret=self._secret)
        if job_id is None:
            raise UnauthenticatedError(_NOT_ACCEPTED)
        async with self._pool.connection() as conn:
            handed = await trainings.handed(conn, job_id)
        if handed is None:
            raise UnauthenticatedError(_NOT_ACCEPTED)
        caller = Caller(
            actor=f"{ids.encode(ids.JOB, job_id)}{VIA}{Role.TRAINER}",
            tenant=handed.tenant,
            user_id=handed.user_id,
            roles=frozenset({Role.TRAINER}),
            upload_id=handed.upload_id,
            job_id=job_id,
        )
        return _Proven(caller)

    async def _of_issuer(self, token: str) -> _Proven:
        try:
            issuer, claims = await self._issuers.prove(token)
            identity = identity_of(claims, issuer)
            async with transaction(self._pool) as tx:
                seconds = seconds_left(claims, issuer, as_of=await read_time(tx))
                actor = await pseudonym_of(tx, identity.tenant, identity.user_id)
        except TokenRefusedError as refusal:
            _log.info("token refused", reason=refusal.fault)
            raise UnauthenticatedError(_NOT_ACCEPTED) from None
        except IssuerAwayError:
            raise UnavailableError("The token's issuer does not answer. Try again.") from None
        caller = Caller(
            actor=actor, tenant=identity.tenant, user_id=identity.user_id, roles=identity.roles
        )
        return _Proven(caller, seconds)


def _fingerprint(credential: str) -> bytes:
    """No credential stays in memory longer than its request."""
    return hashlib.sha256(credential.encode(errors="surrogateescape")).digest()
