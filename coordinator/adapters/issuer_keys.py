"""The keys of one issuer: fetched, kept, and fetched again no more often than is decent.

They are kept for an hour, and for a day while the issuer does not answer. A key that nobody knows
makes us look again, at most once a minute: whoever makes up names of keys cannot make us ask more.

Rule: addresses come from settings and from the issuer's own discovery, never from a token;
redirects are not followed.
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

import httpx
import msgspec
import structlog

from coordinator.adapters.jwks import NoKeySetError, PublishedKey, VerifyingKey, choose, read_keys
from coordinator.domain.bearer_tokens import Fault, TokenRefusedError
from coordinator.domain.issuers import Algorithm, Issuer, is_allowed_address

FETCH_SECONDS: Final = 5.0  # discovery and keys together
MAX_BYTES: Final = 256 * 1024
FRESH_SECONDS: Final = 3_600.0
KEPT_SECONDS: Final = 86_400.0  # while the issuer is away
COOLDOWN_SECONDS: Final = 60.0  # between two looks for a key that nobody knows
RETRY_SECONDS: Final = 5.0  # after a failure, while there are no keys at all

_DISCOVERY: Final = "/.well-known/openid-configuration"

_log = structlog.get_logger(__name__)


class IssuerAwayError(Exception):
    """The issuer does not answer, and what we have of it cannot tell."""


class _WrongAnswerError(Exception):
    """The issuer answered something that cannot be used; a fixed word says what."""


class IssuerKeys:
    """Close it: a fetch may be under way."""

    def __init__(
        self, issuer: Issuer, http: httpx.AsyncClient, *, elapsed: Callable[[], float]
    ) -> None:
        self._issuer = issuer
        self._http = http
        self._elapsed = elapsed
        self._keys: Sequence[PublishedKey] = ()
        self._fetched_at: float | None = None
        self._failed_at: float | None = None
        self._searched_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: Algorithm) -> VerifyingKey:
        """Return the key that a token names.

        Raises:
            TokenRefusedError: the issuer has no such key.
            IssuerAwayError: it may have one, but does not answer.

        """
        key = self._known(kid, algorithm)
        if key is not None:
            if not self._is_younger(self._fetched_at, FRESH_SECONDS):
                self._renew()
            return key
        await self._look_again()
        key = self._known(kid, algorithm)
        if key is not None:
            return key
        if self._failed_at is not None:
            raise IssuerAwayError
        raise TokenRefusedError(Fault.KEY)

    async def aclose(self) -> None:
        """End what is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _known(self, kid: str | None, algorithm: Algorithm) -> VerifyingKey | None:
        if not self._is_younger(self._fetched_at, KEPT_SECONDS):
            return None
        return choose(self._keys, kid, algorithm)

    def _is_younger(self, moment: float | None, seconds: float) -> bool:
        return moment is not None and self._elapsed() - moment < seconds

    def _renew(self) -> None:
        """Fetch in the background; whoever has a key waits for nobody."""
        if not self._is_younger(self._failed_at, COOLDOWN_SECONDS):
            _in_background = self._fetch_once()

    async def _look_again(self) -> None:
        """Fetch, and wait for it, unless that was done a moment ago."""
        if not self._is_younger(self._fetched_at, KEPT_SECONDS):
            if self._is_younger(self._failed_at, RETRY_SECONDS):
                return
        elif self._is_younger(self._searched_at, COOLDOWN_SECONDS):
            return
        else:
            self._searched_at = self._elapsed()
        # Shielded: the fetch serves others too, and outlives a client that hangs up.
        await asyncio.shield(self._fetch_once())

    def _fetch_once(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                url = self._issuer.jwks_url or await self._discover()
                self._keys = read_keys(await self._get(url), self._issuer.algorithms)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, _WrongAnswerError) as exc:
            self._failed(str(exc) if isinstance(exc, _WrongAnswerError) else type(exc).__name__)
        except NoKeySetError:
            self._failed("no key set")
        else:
            self._fetched_at, self._failed_at = self._elapsed(), None
            if not self._keys:
                _log.warning("issuer has no usable key", issuer=self._issuer.issuer)

    def _failed(self, reason: str) -> None:
        self._failed_at = self._elapsed()
        _log.warning("issuer does not answer", issuer=self._issuer.issuer, error=reason)

    async def _discover(self) -> str:
        """Ask where the keys are (OpenID Connect Discovery 1.0, section 4)."""
        document = await self._get(self._issuer.issuer.rstrip("/") + _DISCOVERY)
        if not isinstance(document, dict) or document.get("issuer") != self._issuer.issuer:
            raise _WrongAnswerError("discovery names another issuer")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not is_allowed_address(url):
            raise _WrongAnswerError("discovery names no safe jwks_uri")
        return url

    async def _get(self, url: str) -> object:
        body = bytearray()
        async with self._http.stream("GET", url) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise _WrongAnswerError(f"status {answer.status_code}")
            # As it is sent: a few compressed bytes could be gigabytes.
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_BYTES:
                    raise _WrongAnswerError("answer too long")
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise _WrongAnswerError("no JSON") from None


def open_http() -> httpx.AsyncClient:
    """Make the client of one issuer: TLS verified, no redirects, nothing compressed."""
    return httpx.AsyncClient(
        timeout=FETCH_SECONDS,
        follow_redirects=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
    )
