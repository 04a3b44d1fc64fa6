"""A hostile S3: a proxy before a real one, with a plan of what goes wrong with which request.

    with hostile_s3(passing_to(endpoint)) as s3:  # COORDINATOR_S3_ENDPOINT=s3.address
        s3.harm("CompleteMultipartUpload", harms.reset(commit=True))  # the first of them
        s3.harm("ListParts", harms.error(503, "SlowDown"), nth=None)  # each of them
        ...
        assert s3.statuses("CompleteMultipartUpload") == [0]

``harms`` holds what can go wrong. A plan of one's own, for drivers: ``s3.plan = choose``, which is
asked for every request that no ``harm`` is meant for.
"""

import http.client
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple
from urllib.parse import unquote

from typing_extensions import override

from tests.forwarding import Answer, Forwarding, Request, Upstream, serving

CREATE: Final = "CreateMultipartUpload"
PART: Final = "UploadPart"
LIST: Final = "ListParts"
COMPLETE: Final = "CompleteMultipartUpload"
ABORT: Final = "AbortMultipartUpload"
HEAD: Final = "HeadObject"
PUT: Final = "PutObject"
DELETE: Final = "DeleteObject"

_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.02

# By method, by what the query has; the first that fits.
_OF_OBJECTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "POST": (("uploads", CREATE), ("uploadId", COMPLETE)),
    "PUT": (("partNumber", PART), ("", PUT)),
    "GET": (("uploadId", LIST), ("attributes", "GetObjectAttributes"), ("", "GetObject")),
    "HEAD": (("", HEAD),),
    "DELETE": (("uploadId", ABORT), ("", DELETE)),
}
_OF_BUCKETS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "POST": (("delete", "DeleteObjects"),),
    "GET": (
        ("uploads", "ListMultipartUploads"),
        ("list-type", "ListObjectsV2"),
        ("lifecycle", "GetBucketLifecycleConfiguration"),
    ),
    "HEAD": (("", "HeadBucket"),),
}


def key_of(request: Request) -> str:
    """Return the object's key, empty for a request of the bucket; the bucket stands in the path."""
    return unquote(request.path).lstrip("/").partition("/")[2]


def operation_of(request: Request) -> str:
    """Name the request as S3's API does; what is not in the tables by method and query."""
    table = _OF_OBJECTS if key_of(request) else _OF_BUCKETS
    for name, operation in table.get(request.method, ()):
        if not name or name in request.query:
            return operation
    return f"{request.method} {'&'.join(sorted(request.query))}".strip()


class Seen(NamedTuple):
    """A request that came: its answer's status, 0 for none, and whether the real S3 got it."""

    operation: str
    nth: int
    key: str
    status: int
    reached: bool


class Exchange:
    """One request in the hands of a harm."""

    def __init__(self, s3: "HostileS3", request: Request, connection: Forwarding) -> None:
        self.s3 = s3
        self.request = request
        self.status = 0
        self.reached = False
        self._connection = connection

    def pass_on(self, request: Request | None = None) -> Answer:
        """Let the real S3 do it, and return what it says."""
        self.reached = True
        answer = self.s3.upstream(request or self.request)
        self.s3.remember(self.request, answer)
        return answer

    def answer(self, answer: Answer) -> None:
        """Answer the client."""
        self.status = answer.status
        self._connection.answer(answer)

    def reset(self) -> None:
        """Reset the connection."""
        self._connection.reset()

    def keep_silent(self) -> None:
        """Say nothing until the client hangs up, or the proxy ends."""
        line = self._connection.connection
        while not self.s3.has_ended:
            readable, _, _ = select.select([line], [], [], _POLL_S)
            if readable and not _peek(line):
                break
        self._connection.close_connection = True

    def begin(self, status: int, first: bytes) -> None:
        """Begin an answer of unknown length."""
        self.status = status
        self._connection.send_response_only(status)
        self._connection.send_header("Content-Type", "application/xml")
        self._connection.send_header("Transfer-Encoding", "chunked")
        self._connection.end_headers()
        self.go_on(first)

    def go_on(self, more: bytes) -> bool:
        """Send more of it, and say whether the client still listens."""
        if not more:
            return True
        try:
            self._connection.wfile.write(f"{len(more):x}\r\n".encode() + more + b"\r\n")
        except OSError:
            self._connection.close_connection = True
            return False
        return True

    def end(self) -> None:
        """End it."""
        try:
            self._connection.wfile.write(b"0\r\n\r\n")
        except OSError:
            self._connection.close_connection = True


def _peek(line: socket.socket) -> bytes:
    try:
        return line.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return b""


Harm = Callable[[Exchange], None]
Plan = Callable[[Request, str, int], Harm | None]


def harmless(exchange: Exchange) -> None:
    """Pass on and answer, as S3 does."""
    exchange.answer(exchange.pass_on())


class HostileS3:
    """The proxy's memory and its plan. ``nth`` counts from 1, by operation, since the reset."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.address = ""
        self.has_ended = False
        self._lock = threading.Lock()
        self._under_way = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew: nothing was seen, nothing goes wrong."""
        self._harms: dict[tuple[str, int | None], Harm] = {}
        self._counts: Counter[str] = Counter()
        self._answers: dict[str, list[Answer]] = {}
        self.seen: list[Seen] = []
        self.plan: Plan = lambda _request, _operation, _nth: None

    def harm(self, operation: str, harm: Harm, *, nth: int | None = 1) -> None:
        """Let ``harm`` happen to the nth such request from now on, or to each with ``None``."""
        with self._lock:
            at = None if nth is None else self._counts[operation] + nth
            self._harms[operation, at] = harm

    def heal(self) -> None:
        """Let nothing go wrong any more; what was seen stays."""
        with self._lock:
            self._harms.clear()

    def count(self, operation: str) -> int:
        """Count the requests that came."""
        return self._counts[operation]

    def statuses(self, operation: str) -> list[int]:
        """Return what was answered, in order of the answers; 0 is no answer."""
        return [each.status for each in self.seen if each.operation == operation]

    def await_count(self, operation: str, count: int) -> None:
        """Return once so many requests have come."""
        self._await(lambda: self._counts[operation] >= count, f"{operation} {count}")

    def settle(self) -> None:
        """Return once nothing is under way: what a client gave up may still be passed on."""
        self._await(lambda: not self._under_way, "nothing under way")

    def _await(self, come: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not come():
            assert time.monotonic() < deadline, f"never came: {what}; seen {self.seen}"
            time.sleep(_POLL_S)

    def remember(self, request: Request, answer: Answer) -> None:
        """Keep the real S3's answers to listings: harms tell them again later."""
        if operation_of(request) == LIST:
            with self._lock:
                self._answers.setdefault(request.query["uploadId"], []).append(answer)

    def listings(self, request: Request) -> list[Answer]:
        """Return what the real S3 answered to such a listing before."""
        return self._answers.get(request.query["uploadId"], [])

    def meet(self, request: Request, connection: Forwarding) -> None:
        """Do what the plan says with one request."""
        operation = operation_of(request)
        with self._lock:
            self._under_way += 1
            self._counts[operation] += 1
            nth = self._counts[operation]
            harm = self._harms.get((operation, nth)) or self._harms.get((operation, None))
        exchange = Exchange(self, request, connection)
        try:
            (harm or self.plan(request, operation, nth) or harmless)(exchange)
        except (OSError, http.client.HTTPException):
            connection.close_connection = True
        finally:
            with self._lock:
                self._under_way -= 1
                seen = Seen(operation, nth, key_of(request), exchange.status, exchange.reached)
                self.seen.append(seen)


@contextmanager
def hostile_s3(upstream: Upstream) -> Iterator[HostileS3]:
    """Run the proxy until the block ends."""
    s3 = HostileS3(upstream)

    class Handler(Forwarding):
        @override
        def meet(self, request: Request) -> None:
            s3.meet(request, self)

    with serving(Handler) as s3.address:
        try:
            yield s3
        finally:
            s3.has_ended = True
