"""So many requests a minute, evenly, however many threads of this process send them."""

import threading
import time
from collections.abc import Callable


class RateLimit:
    """Hands out moments at which a request may be sent."""

    def __init__(self, a_minute: int, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._gap_s = 60.0 / a_minute
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._next = 0.0

    def reserve(self) -> float:
        """Take the next moment, and return how many seconds it is away."""
        with self._lock:
            at = max(self._elapsed(), self._next)
            self._next = at + self._gap_s
        return max(0.0, at - self._elapsed())
