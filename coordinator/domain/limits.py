"""Rate limits: classes of routes, rates as operators spell them, and the arithmetic.

The arithmetic is the generic cell rate algorithm (ATM Forum, Traffic Management 4.0, section 4.4.2;
https://brandur.org/rate-limiting for HTTP). Of each bucket one number is kept: the theoretical
arrival time, at which all that was let through would have passed at the plain rate. How far it lies
ahead of now is the bucket's backlog, and a burst is how much backlog is let happen.

Rule: whole microseconds only, so that ``adapters/lua/admit.lua``, which does the same, is exact.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

_SECOND_US: Final = 1_000_000
_PERIODS: Final = {"s": 1, "m": 60, "h": 3_600}
_RATE: Final = re.compile(r"([0-9]{1,7})/([smh]):([0-9]{1,7})")
# What one costs is rounded up to a microsecond: with fewer than 100 of them that would show.
_MOST_A_SECOND: Final = 10_000
OFF: Final = "off"


class RouteClass(StrEnum):
    """Routes that share a limit."""

    OPEN = "open"  # init
    SIGN = "sign"  # urls
    REPORT = "report"  # chunk
    COMPLETE = "complete"  # complete, abort
    READ = "read"  # status, lists, manifests, downloads, streams
    ADMIN = "admin"  # what operators and admins do
    REFUSED = "refused"  # no route: requests, of whatever class, whose credential proved nobody


class Rate(msgspec.Struct, frozen=True):
    """So many in so many seconds, and so many at once after a quiet while."""

    count: int
    seconds: int
    burst: int

    def span_us(self, cost: int) -> int:
        """Return how long so many take at the plain rate; rounded up, so never too many pass."""
        return -(-cost * self.seconds * _SECOND_US // self.count)

    @property
    def tolerance_us(self) -> int:
        """The backlog of a bucket that is used up."""
        return self.span_us(self.burst)

    def left(self, backlog_us: int) -> int:
        """Return how many fit at once into a bucket with this backlog."""
        room_us = max(0, self.tolerance_us - backlog_us)
        return room_us * self.count // (self.seconds * _SECOND_US)

    def next_in_us(self, backlog_us: int) -> int:
        """Return in how long one more will fit than now; 0 for an empty bucket."""
        more = self.left(backlog_us) + 1
        return 0 if more > self.burst else backlog_us + self.span_us(more) - self.tolerance_us


class Mode(StrEnum):
    """What a charge does to its bucket."""

    TAKE = "take"  # refuse what does not fit
    LOOK = "look"  # refuse what does not fit; take nothing
    OWE = "owe"  # take also what does not fit: the backlog grows beyond the burst


class Charge(msgspec.Struct, frozen=True):
    """What one request asks of one bucket."""

    rate: Rate
    cost: int = 1
    mode: Mode = Mode.TAKE

    @property
    def cost_us(self) -> int:
        """What is added to the backlog."""
        return self.rate.span_us(self.cost)


class Admission(msgspec.Struct, frozen=True):
    """What came of a request's charges, each bucket in its place.

    ``waits_us``: in how long a charge would fit that does not; 0 where it does. If any does not,
    none is taken. ``backlogs_us``: how it is afterwards.
    """

    waits_us: tuple[int, ...]
    backlogs_us: tuple[int, ...]

    @property
    def wait_us(self) -> int:
        """In how long all will fit; 0: the request is admitted."""
        return max(self.waits_us, default=0)


def admit(arrivals_us: Sequence[int], charges: Sequence[Charge], now_us: int) -> Admission:
    """Decide on one request, all or nothing.

    ``arrivals_us`` are the buckets' theoretical arrival times, 0 where nothing is known. Whoever
    keeps them writes ``now_us`` plus the backlog, if the request is admitted.

    >>> admit([0], [Charge(Rate(10, 1, 2))], 1_000_000)
    Admission(waits_us=(0,), backlogs_us=(100000,))
    >>> admit([1_200_000], [Charge(Rate(10, 1, 2))], 1_000_000)
    Admission(waits_us=(100000,), backlogs_us=(200000,))
    """
    pairs = list(zip(arrivals_us, charges, strict=True))
    before = [_backlog_us(arrival, charge, now_us) for arrival, charge in pairs]
    waits = tuple(
        0
        if charge.mode is Mode.OWE
        else max(0, backlog + charge.cost_us - charge.rate.tolerance_us)
        for backlog, charge in zip(before, charges, strict=True)
    )
    if any(waits):
        return Admission(waits, tuple(before))
    after = (
        backlog if charge.mode is Mode.LOOK else backlog + charge.cost_us
        for backlog, charge in zip(before, charges, strict=True)
    )
    return Admission(waits, tuple(after))


def _backlog_us(arrival_us: int, charge: Charge, now_us: int) -> int:
    backlog = max(0, arrival_us - now_us)
    # Nobody waits for longer than a burst takes, should the clock have gone back, or the rate up.
    return min(backlog, charge.rate.tolerance_us) if charge.mode is Mode.TAKE else backlog


def parse_rates(
    text: str, defaults: Mapping[RouteClass, Rate] | None = None
) -> dict[RouteClass, Rate]:
    """Read rates as settings spell them; a class that is left out keeps its default.

    >>> parse_rates("open=20/s:100 read=2/m:5")[RouteClass.READ]
    Rate(count=2, seconds=60, burst=5)
    >>> parse_rates("off"), parse_rates("sign=off")
    ({}, {})

    Raises:
        ValueError: it is spelled otherwise, or names a class that has no limit of this kind.

    """
    if text.strip() == OFF:
        return {}
    rates = dict(defaults or {})
    known = list(rates) or list(RouteClass)
    for word in text.split():
        name, _equals, spelled = word.partition("=")
        if name not in known:
            raise ValueError(f"{name!r} is no class of requests: {', '.join(known)}.")
        rates.pop(RouteClass(name), None)
        if spelled != OFF:
            rates[RouteClass(name)] = _parse_rate(spelled, word)
    return rates


def _parse_rate(text: str, word: str) -> Rate:
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{word!r} has no rate: write 20/s:100, with s, m or h, or off.")
    count, seconds, burst = int(match[1]), _PERIODS[match[2]], int(match[3])
    if not count or not burst:
        raise ValueError(f"{word!r} lets nothing through: a rate and a burst are 1 or more.")
    rate = Rate(count, seconds, burst)
    if count > _MOST_A_SECOND * seconds:
        raise ValueError(f"{word!r} is faster than 10,000 a second: write off.")
    return rate
