"""How often each kind of job is tried, and how long after a failure. Randomness is passed in."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from coordinator.domain.kinds import Kind
from coordinator.domain.retries import backoff

# A worker that dies, of whatever, is an attempt that nobody can judge: so many are made beyond.
MAX_LOST: Final = 10


class Attempts(NamedTuple):
    """A kind's tries, and the pause after the first that failed; it doubles up to ``longest``."""

    most: int
    first: timedelta
    longest: timedelta


_OWN: Final = Attempts(3, timedelta(seconds=5), timedelta(minutes=1))
# Somebody else's server: it may be down for a while.
_OTHERS: Final = Attempts(8, timedelta(seconds=10), timedelta(minutes=15))

_ATTEMPTS: Final[Mapping[Kind, Attempts]] = {
    Kind.VALIDATE_SCHEMA: _OWN,
    Kind.SCAN_PII: _OWN,
    Kind.GENERATE_METADATA: _OWN,
    Kind.PREPARE_TRAINING_DATASET: _OWN,
    Kind.GENERATE_EMBEDDINGS: _OTHERS,
    Kind.INDEX_DATASET: _OWN,
    Kind.TRIGGER_FINE_TUNING: _OTHERS,
}


def attempts_of(kind: Kind) -> Attempts:
    """Return how a kind is tried."""
    return _ATTEMPTS[kind]


def pause_after(kind: Kind, attempt: int, *, chance: float) -> timedelta:
    """Return how long to wait after attempt number ``attempt`` failed; ``chance`` is in [0, 1).

    >>> [pause_after(Kind.SCAN_PII, n, chance=0.5).total_seconds() for n in (1, 2, 9)]
    [5.0, 10.0, 60.0]
    """
    tries = _ATTEMPTS[kind]
    return backoff(attempt, first=tries.first, factor=2, most=tries.longest, random=chance)
