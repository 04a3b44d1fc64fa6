"""How far an upload or a download is, how fast, and how long it will take."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

import msgspec

Stage = Literal["hashing", "sending", "completing", "downloading", "verifying", "done"]

# A rate over this time follows the network and does not tremble.
_SPAN_S: Final = 10.0
_MIN_SPAN_S: Final = 0.2


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One look at it. ``bytes_done`` counts what was sent before, too; ``rate`` does not."""

    stage: Stage
    bytes_done: int
    bytes_total: int
    bytes_hashed: int = 0
    chunks_done: int = 0
    chunks_total: int = 0
    bytes_per_second: float = 0.0
    upload_id: str | None = None

    @property
    def remaining_s(self) -> float | None:
        """Seconds left at this rate; None while there is none."""
        if self.bytes_per_second <= 0:
            return None
        return (self.bytes_total - self.bytes_done) / self.bytes_per_second

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1; an empty file is done from the start.

        >>> Progress(stage="sending", bytes_done=1, bytes_total=4).fraction
        0.25
        """
        return self.bytes_done / self.bytes_total if self.bytes_total else 1.0


Listener = Callable[[Progress], None]


class Rate:
    """Bytes a second over the last ten seconds. Pure: the time is an argument."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def note(self, bytes_moved: int, *, now: float) -> None:
        """Take the total moved so far; it may fall, when an attempt is given up."""
        self._samples.append((now, bytes_moved))
        while len(self._samples) > 2 and self._samples[1][0] < now - _SPAN_S:  # noqa: PLR2004 - a span has two ends
            self._samples.popleft()

    @property
    def bytes_per_second(self) -> float:
        """The rate, 0 while too little time has passed to tell."""
        if not self._samples:
            return 0.0
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        if end - start < _MIN_SPAN_S:
            return 0.0
        return max(0.0, (after - before) / (end - start))


class Meter:
    """Counts bytes from many threads; what an attempt sent is taken back when it fails."""

    def __init__(
        self, *, bytes_total: int, chunks_total: int, upload_id: str | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._rate = Rate()
        self._under_way: dict[int, int] = {}
        self._moved = 0
        self._kept = 0
        self._hashed = 0
        self._chunks_done = 0
        self._bytes_total = bytes_total
        self._chunks_total = chunks_total
        self._upload_id = upload_id
        self.stage: Stage = "hashing"

    def hashed(self, count: int) -> None:
        """Note bytes of which the digest is known."""
        with self._lock:
            self._hashed += count

    def kept(self, length: int) -> None:
        """Note a chunk that need not be sent."""
        with self._lock:
            self._kept += length
            self._chunks_done += 1

    def moved(self, index: int, count: int) -> None:
        """Note bytes of a chunk that have been handed to the network."""
        with self._lock:
            self._under_way[index] = self._under_way.get(index, 0) + count
            self._moved += count
            self.stage = "sending"

    def arrived(self, index: int) -> None:
        """Note that S3 has accepted a chunk."""
        with self._lock:
            self._under_way.pop(index, None)
            self._chunks_done += 1

    def failed(self, index: int) -> None:
        """Take back what the failed attempt had sent."""
        with self._lock:
            self._moved -= self._under_way.pop(index, 0)

    def lost(self, length: int) -> None:
        """Take back a chunk that S3 turned out not to have."""
        with self._lock:
            self._kept -= length
            self._chunks_done -= 1

    def look(self) -> Progress:
        """Return how far it is now."""
        with self._lock:
            self._rate.note(self._moved, now=time.monotonic())
            return Progress(
                stage=self.stage,
                bytes_done=self._moved + self._kept,
                bytes_total=self._bytes_total,
                bytes_hashed=self._hashed,
                chunks_done=self._chunks_done,
                chunks_total=self._chunks_total,
                bytes_per_second=self._rate.bytes_per_second,
                upload_id=self._upload_id,
            )
