"""How long to go on trying, and how long to wait in between.

Rule: what is retried is named where it is done; nothing here knows an exception.
"""

import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from coordinator.sdk.errors import StoppedError

BASE_S: Final = 0.25
CAP_S: Final = 10.0
# A server that asks for more than this is asked again all the same.
MAX_RETRY_AFTER_S: Final = 60.0
_MAX_DOUBLINGS: Final = 10


def delay_s(attempt: int, *, chance: float, at_least: float = 0.0) -> float:
    """Return the wait after failure number ``attempt``, counted from 0.

    The upper half is left to ``chance`` (0 to 1), so that clients that failed together do not
    come back together.

    >>> [delay_s(n, chance=1.0) for n in (0, 1, 2, 100)]
    [0.25, 0.5, 1.0, 10.0]
    """
    full: float = min(CAP_S, BASE_S * 2 ** min(attempt, _MAX_DOUBLINGS))
    return max(at_least, full * (0.5 + 0.5 * chance))


def parse_retry_after(value: str | None, *, now: datetime | None = None) -> float:
    """Read ``Retry-After``, seconds or a date, as seconds from now; 0 for none or nonsense.

    >>> parse_retry_after("7"), parse_retry_after("soon"), parse_retry_after("99999")
    (7.0, 0.0, 60.0)
    """
    if value is None:
        return 0.0
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    wait_s = (at - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


class Patience:
    """The retries of one thing: waits that grow, until there has been enough of it."""

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self._deadline = time.monotonic() + seconds
        self._stop = stop
        self._attempt = 0

    def pause(self, *, at_least: float = 0.0) -> bool:
        """Wait before the next try; False, at once, when it would begin too late.

        Raises:
            StoppedError: the caller ended it while we waited.

        """
        wait_s = delay_s(self._attempt, chance=random.random(), at_least=at_least)  # noqa: S311 - jitter
        self._attempt += 1
        if time.monotonic() + wait_s > self._deadline:
            return False
        if self._stop.wait(wait_s):
            raise StoppedError
        return True
