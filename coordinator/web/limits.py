"""Who is limited, and what answers say of it.

The fields ``RateLimit-Policy`` and ``RateLimit`` are those of draft-ietf-httpapi-ratelimit-headers
(10 and 11): of each limit that a request was held against, how many at once (``q``) in how many
seconds of quiet (``w``), how many are left (``r``) and in how long there will be one more (``t``).
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.types import Message
from litestar.types import Scope as ASGIScope

from coordinator.adapters import quotas
from coordinator.adapters.limiter import Bucket, By, Limiter
from coordinator.adapters.postgres import Pool
from coordinator.domain.access import Caller, Scope
from coordinator.domain.addresses import Network, client_of, parse_networks
from coordinator.domain.errors import RateLimitedError
from coordinator.domain.limits import Charge, Mode, Rate, RouteClass, parse_rates
from coordinator.settings import PREFIX, Settings, SettingsError
from coordinator.telemetry import RATE_LIMITED

_SECOND_US: Final = 1_000_000
_STATE: Final = "visit"
_QUOTA_SECONDS: Final = 5.0
_KEPT_QUOTAS: Final = 10_000
_KEPT_PROVED: Final = 10_000
# One whole request of `urls` always fits.
_LEAST_CHUNKS_AT_ONCE: Final = 1_000

Rates = Mapping[RouteClass, Rate]


class Rules(msgspec.Struct, frozen=True):
    """What an operator has set. A class without a rate is not limited."""

    user: Rates
    address: Rates
    trusted: tuple[Network, ...]


def rules_of(settings: Settings) -> Rules:
    """Read the rules out of the settings.

    Raises:
        SettingsError: a rate or a network is spelled wrong.

    """
    name = "trusted_proxies"
    try:
        trusted = parse_networks(settings.trusted_proxies)
        defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
        rates = {}
        for name in ("rate_limits_user", "rate_limits_address"):
            rates[name] = parse_rates(getattr(settings, name), parse_rates(defaults[name]))
    except ValueError as exc:
        raise SettingsError(f"{PREFIX}{name.upper()}: {exc}") from exc
    return Rules(rates["rate_limits_user"], rates["rate_limits_address"], trusted)


class Limits:
    """The limits of one service."""

    def __init__(self, rules: Rules, limiter: Limiter, pool: Pool) -> None:
        self.rules = rules
        self.limiter = limiter
        self._pool = pool
        self._chunk_rates: dict[str, tuple[float, Rate | None]] = {}
        # Hashes of credentials that were good once, the one that was used last at the end.
        self.proved: OrderedDict[bytes, None] = OrderedDict()

    def visit(
        self, connection: ASGIConnection[Any, Any, Any, Any], route_class: RouteClass
    ) -> "Visit":
        """Begin with a request; its answer will tell the limits that it is held against."""
        peer = connection.client.host if connection.client else None
        forwarded = connection.headers.getall("x-forwarded-for", [])
        address = client_of(peer, forwarded, self.rules.trusted)
        visit = Visit(self, route_class, address)
        connection.state[_STATE] = visit
        return visit

    async def chunk_rate(self, tenant: str) -> Rate | None:
        """Return how many chunks a tenant may sign, by its quota as it was at most 5 s ago."""
        until, rate = self._chunk_rates.get(tenant, (0.0, None))
        if time.monotonic() < until:
            return rate
        async with self._pool.connection() as conn:
            count = (await quotas.effective(conn, tenant)).chunks_a_second
        rate = None if count is None else Rate(count, 1, max(count, _LEAST_CHUNKS_AT_ONCE))
        if len(self._chunk_rates) >= _KEPT_QUOTAS:
            self._chunk_rates.clear()
        self._chunk_rates[tenant] = (time.monotonic() + _QUOTA_SECONDS, rate)
        return rate


class Visit:
    """One request, and the limits that it is held against.

    Every method that admits one raises:
        RateLimitedError: it is one too many; nothing was charged.
    """

    def __init__(self, limits: Limits, route_class: RouteClass, address: str) -> None:
        self._limits = limits
        self._class = route_class
        self._address = address
        self._fingerprint = b""
        self._held: list[tuple[Bucket, int, int]] = []  # with wait and backlog

    async def admit(self, caller: Caller) -> None:
        """Admit a request whose caller is known, in one round trip."""
        await self._charge(self._of_address(self._class), self._of_user(caller, None))

    async def admit_stranger(self, credential: str) -> None:
        """Admit a request before its credential is proved, because proving asks Postgres.

        One that was good before cannot be a guess: it is not held against the guesses of others
        behind the same address.
        """
        self._fingerprint = hashlib.sha256(credential.encode(errors="surrogateescape")).digest()
        is_guess = self._fingerprint not in self._limits.proved
        look = self._of_address(RouteClass.REFUSED, Mode.LOOK) if is_guess else None
        await self._charge(self._of_address(self._class), look)

    async def admit_anybody(self) -> None:
        """Admit a request that needs no credential, and of which none is looked at."""
        await self._charge(self._of_address(self._class))

    async def admit_user(self, caller: Caller) -> None:
        """Admit the user of a stranger's request, who is proved now."""
        proved = self._limits.proved
        proved[self._fingerprint] = None
        proved.move_to_end(self._fingerprint)
        if len(proved) > _KEPT_PROVED:
            proved.popitem(last=False)
        await self._charge(self._of_user(caller, None))

    async def admit_owner(self, caller: Caller, user_id: str) -> None:
        """Admit the user that a backend opens an upload for; others were admitted before."""
        if _names_its_user(caller, self._class):
            await self._charge(self._of_user(caller, user_id))

    async def admit_chunks(self, tenant: str, count: int) -> None:
        """Admit so many chunks to be signed, if the tenant's quota has a rate of them."""
        rate = await self._limits.chunk_rate(tenant)
        if rate is not None:
            charge = Charge(rate, count)
            await self._charge(Bucket(By.TENANT, self._class, (tenant,), charge))

    async def note_failure(self) -> None:
        """Charge a stranger's address for a credential that proved nobody."""
        self._limits.proved.pop(self._fingerprint, None)
        await self._charge(self._of_address(RouteClass.REFUSED, Mode.OWE))

    def _of_address(self, route_class: RouteClass, mode: Mode = Mode.TAKE) -> Bucket | None:
        rate = self._limits.rules.address.get(route_class)
        if rate is None:
            return None
        return Bucket(By.ADDRESS, route_class, (self._address,), Charge(rate, mode=mode))

    def _of_user(self, caller: Caller, named: str | None) -> Bucket | None:
        rate = self._limits.rules.user.get(self._class)
        if rate is None or (named is None and _names_its_user(caller, self._class)):
            return None
        owner = (caller.tenant, named or caller.user_id)
        return Bucket(By.USER, self._class, owner, Charge(rate))

    async def _charge(self, *wanted: Bucket | None) -> None:
        buckets = [bucket for bucket in wanted if bucket is not None]
        if not buckets:
            return
        decision = await self._limits.limiter.admit(buckets)
        admission = decision.admission
        for bucket, wait, backlog in zip(
            buckets, admission.waits_us, admission.backlogs_us, strict=True
        ):
            if wait:
                RATE_LIMITED.labels(bucket.route_class, bucket.by, decision.where).inc()
            if wait or bucket.charge.mode is Mode.TAKE:
                self._held.append((bucket, wait, backlog))
        if admission.wait_us:
            raise RateLimitedError(_whole_seconds(admission.wait_us))

    def fields(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the answer's fields: all limits, or of a refused request those that refused it."""
        if not self._held:
            return
        policies = ", ".join(_policy(bucket) for bucket, _wait, _backlog in self._held)
        yield b"ratelimit-policy", policies.encode()
        refused = [held for held in self._held if held[1]]
        states = ", ".join(
            _state(bucket, backlog) for bucket, _wait, backlog in refused or self._held
        )
        yield b"ratelimit", states.encode()


def _names_its_user(caller: Caller, route_class: RouteClass) -> bool:
    """Whether the request's body says for whom it is, so that only its handler can tell."""
    return route_class is RouteClass.OPEN and Scope.ACT_AS in caller.scopes


def _whole_seconds(microseconds: int) -> int:
    return -(-microseconds // _SECOND_US)


def _name(bucket: Bucket) -> str:
    if bucket.route_class is RouteClass.REFUSED:
        return "refused"
    return "chunks" if bucket.by is By.TENANT else bucket.by.value


def _policy(bucket: Bucket) -> str:
    rate = bucket.charge.rate
    return f'"{_name(bucket)}";q={rate.burst};w={_whole_seconds(rate.tolerance_us)}'


def _state(bucket: Bucket, backlog_us: int) -> str:
    rate = bucket.charge.rate
    soon = _whole_seconds(rate.next_in_us(backlog_us))
    return f'"{_name(bucket)}";r={rate.left(backlog_us)}' + (f";t={soon}" if soon else "")


async def tell_limits(message: Message, scope: ASGIScope) -> None:
    """Add to the answer of a limited request what is left of its limits."""
    if message["type"] == "http.response.start":
        visit = scope.get("state", {}).get(_STATE)
        if visit is not None:
            message["headers"] = [*message.get("headers", []), *visit.fields()]


async def provide_visit(request: Request[Any, Any, Any]) -> Visit:
    """Hand to the handler what the guard has begun, where more is to be charged."""
    visit: Visit = request.state[_STATE]
    return visit
