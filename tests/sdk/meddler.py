"""An HTTP proxy before a real S3 that breaks things on the way, as networks do.

The service signs for its address (``COORDINATOR_S3_PUBLIC_ENDPOINT``); S3 itself judges what
arrives.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Final

from typing_extensions import override

from tests.forwarding import Answer, Forwarding, Request, passing_to, serving

_PATIENCE_S: Final = 60.0
_BUSY: Final = b"<Error><Code>SlowDown</Code></Error>"


class Harm(Enum):
    """What happens to one PUT."""

    NONE = auto()
    CORRUPT = auto()  # a byte changes on the way
    CUT = auto()  # the connection ends before there is an answer
    BUSY = auto()  # 503, as S3 says when it is asked too often
    FORGET = auto()  # an answer of success, and S3 has not seen the bytes
    LATE = auto()  # it arrives when its URL has ended


Plan = Callable[[int, int], Harm]


class Meddler:
    """Decides by ``plan(chunk, attempt)``, attempts counted from 0, and remembers what passed."""

    def __init__(self, upstream: str) -> None:
        self.pass_on = passing_to(upstream)
        self.address = ""
        self._lock = threading.Lock()
        self.busy = 0
        self.reset()

    def reset(self, plan: Plan = lambda _chunk, _attempt: Harm.NONE, *, pause_s: float = 0) -> None:
        """Begin anew."""
        self.plan = plan
        self.pause_s = pause_s
        self.corrupts_reading = False
        self.attempts: Counter[int] = Counter()
        self.stored: list[int] = []
        self.answers: list[tuple[int, int]] = []

    def await_stored(self, count: int) -> None:
        """Return once S3 has stored so many chunks."""
        deadline = time.monotonic() + _PATIENCE_S
        while len(self.stored) < count:
            assert time.monotonic() < deadline, f"{len(self.stored)} of {count} chunks arrived"
            time.sleep(0.02)

    def settle(self) -> None:
        """Return once nothing is on the way any more: what a dead client sent still arrives."""
        deadline = time.monotonic() + _PATIENCE_S
        while self.busy:
            assert time.monotonic() < deadline, "a chunk is on its way for ever"
            time.sleep(0.02)

    def next_attempt(self, chunk: int) -> int:
        """Count an attempt."""
        with self._lock:
            self.attempts[chunk] += 1
            return self.attempts[chunk] - 1

    def count_busy(self, change: int) -> None:
        """Count requests under way."""
        with self._lock:
            self.busy += change

    def note(self, chunk: int, status: int) -> None:
        """Remember what S3 answered."""
        with self._lock:
            self.answers.append((chunk, status))
            if status == http.client.OK:
                self.stored.append(chunk)


@contextmanager
def meddling(upstream: str) -> Iterator[Meddler]:
    """Run a meddler before ``upstream`` until the block ends."""
    meddler = Meddler(upstream)

    class Handler(_Handler):
        boss = meddler

    with serving(Handler) as meddler.address:
        yield meddler


class _Handler(Forwarding):
    boss: Meddler

    @override
    def serve(self) -> None:
        self.boss.count_busy(1)
        try:
            super().serve()
        finally:
            self.boss.count_busy(-1)

    @override
    def meet(self, request: Request) -> None:
        if request.method == "PUT":
            self._meddle(request)
        else:
            self._pass_on(request)

    def _meddle(self, request: Request) -> None:
        chunk = int(request.query["partNumber"]) - 1
        if self.boss.pause_s:
            time.sleep(self.boss.pause_s)
        harm = self.boss.plan(chunk, self.boss.next_attempt(chunk))
        if not self._is_lost(harm):
            if harm is Harm.CORRUPT:
                body = bytearray(request.body)
                body[len(body) // 2] ^= 1
                request = request._replace(body=bytes(body))
            if harm is Harm.LATE:
                time.sleep(int(request.query["X-Amz-Expires"]) + 1.1)
            self.boss.note(chunk, self._pass_on(request))

    def _is_lost(self, harm: Harm) -> bool:
        """Do such harm that nothing arrives, and say whether that was asked for."""
        match harm:
            case Harm.CUT:
                self.close_connection = True
            case Harm.BUSY:
                self.answer(Answer(503, {"Retry-After": "0"}, _BUSY))
            case Harm.FORGET:
                self.answer(Answer(200, {"ETag": '"forgotten"'}, b""))
            case _:
                return False
        return True

    def _pass_on(self, request: Request) -> int:
        try:
            answer = self.boss.pass_on(request)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return 0
        if request.method == "GET" and self.boss.corrupts_reading:
            answer = answer._replace(body=bytes(len(answer.body)))
        self.answer(answer)
        return answer.status
