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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

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
        self.upstream = urlsplit(upstream).netloc
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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    meddler.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield meddler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    boss: Meddler

    def do_PUT(self) -> None:
        self.boss.count_busy(1)
        try:
            self._meddle()
        finally:
            self.boss.count_busy(-1)

    def _meddle(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        chunk = int(query["partNumber"][0]) - 1
        length = int(self.headers["Content-Length"])
        try:
            body = bytearray(self.rfile.read(length))
        except ConnectionError:
            return
        if len(body) < length:
            # The client has died. S3 would wait for the rest for as long as we hold the line.
            self.close_connection = True
            return
        if self.boss.pause_s:
            time.sleep(self.boss.pause_s)
        harm = self.boss.plan(chunk, self.boss.next_attempt(chunk))
        if not self._is_lost(harm):
            if harm is Harm.CORRUPT:
                body[len(body) // 2] ^= 1
            if harm is Harm.LATE:
                time.sleep(int(query["X-Amz-Expires"][0]) + 1.1)
            self.boss.note(chunk, self._pass_on("PUT", bytes(body)))

    def _is_lost(self, harm: Harm) -> bool:
        """Do such harm that nothing arrives, and say whether that was asked for."""
        match harm:
            case Harm.CUT:
                self.close_connection = True
            case Harm.BUSY:
                self._answer(503, {"Retry-After": "0"}, _BUSY)
            case Harm.FORGET:
                self._answer(200, {"ETag": '"forgotten"'}, b"")
            case _:
                return False
        return True

    def do_GET(self) -> None:
        self._pass_on("GET", b"")

    def _pass_on(self, method: str, body: bytes) -> int:
        upstream = http.client.HTTPConnection(self.boss.upstream, timeout=60)
        try:
            upstream.request(method, self.path, body or None, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
            if method == "GET" and self.boss.corrupts_reading:
                content = bytes(len(content))
            self._answer(answer.status, dict(answer.headers), content)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return 0
        else:
            return answer.status
        finally:
            upstream.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        try:
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass
