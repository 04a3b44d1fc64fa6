"""S3, as presigned URLs show it: PUT a chunk, GET an object.

httpx and not http.client: measured over loopback it costs 0.3 s of processor time more a GiB, of
some 8 s that a GiB takes, and brings proxies, CA settings and a pool of connections.

Rule: a presigned URL goes to httpx and nowhere else; it is a secret while it lasts.
"""

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, Final

import httpx
import msgspec

from coordinator.sdk.errors import FileChangedError, StoppedError, StoreError, UnreachableError
from coordinator.sdk.progress import Meter
from coordinator.sdk.retries import Patience, delay_s, parse_retry_after
from coordinator.sdk.service import CONNECTION_FAILURES
from coordinator.sdk.source import LocalFile

# One chunk is given up after this long without success, each time that it has a new URL.
_PATIENCE_S: Final = 300.0
# S3 answers a large part only when it has stored it.
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0, read=300.0, pool=None)
_MAX_SIGNINGS: Final = 6
_ERROR_BYTES: Final = 4096
_CODE: Final = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")


class Answer(Enum):
    """What to do about S3's answer to a chunk."""

    STORED = auto()
    SIGN_AGAIN = auto()
    HASH_AGAIN = auto()
    TRY_AGAIN = auto()
    REFUSED = auto()


_BY_CODE: Final = {
    "BadDigest": Answer.HASH_AGAIN,
    "XAmzContentSHA256Mismatch": Answer.HASH_AGAIN,
    "XAmzContentChecksumMismatch": Answer.HASH_AGAIN,
    "InvalidDigest": Answer.HASH_AGAIN,
    "RequestTimeout": Answer.TRY_AGAIN,
    "IncompleteBody": Answer.TRY_AGAIN,
    "NoSuchUpload": Answer.SIGN_AGAIN,  # the service may have had to begin a new multipart
    "ExpiredToken": Answer.SIGN_AGAIN,
}
_BY_STATUS: Final = {200: Answer.STORED, 403: Answer.SIGN_AGAIN, 408: Answer.TRY_AGAIN}
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500


def judge(status: int, code: str) -> Answer:
    """Decide about an answer by its HTTP status and S3's error code.

    >>> judge(200, ""), judge(400, "BadDigest"), judge(503, "SlowDown")
    (<Answer.STORED: 1>, <Answer.HASH_AGAIN: 3>, <Answer.TRY_AGAIN: 4>)
    """
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status >= _SERVER_ERROR or status == _TOO_MANY:
        return Answer.TRY_AGAIN
    return _BY_STATUS.get(status, Answer.REFUSED)


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A chunk with all that is needed to send it."""

    index: int
    offset: int
    length: int
    digest: bytes
    url: str
    headers: dict[str, str]
    fresh_until: float
    """By the monotonic clock; after it a new URL is fetched without asking S3."""
    signings: int

    # The URL must not get into a log by way of a traceback.
    __repr__ = object.__repr__


class Sent(msgspec.Struct, frozen=True):
    """S3 has stored the chunk."""

    index: int
    etag: str


class Stale(msgspec.Struct, frozen=True):
    """The chunk needs a new URL, its ``signings + 1``-th."""

    index: int
    signings: int


class Reply(msgspec.Struct, frozen=True):
    """S3's answer to one attempt."""

    status: int
    code: str
    etag: str
    retry_after_s: float


class Store:
    """Connections to S3, shared by all uploads and downloads of a client."""

    def __init__(self) -> None:
        _hide_signatures()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self._http = httpx.Client(timeout=_TIMEOUT, limits=limits)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, ticket: Ticket, file: LocalFile, meter: Meter, stop: threading.Event
    ) -> Sent | Stale:
        """Send one chunk until S3 has it or its URL has ended.

        Raises:
            FileChangedError: the bytes are not those that the URL was signed for.
            StoreError: S3 refuses it for a reason that no repetition mends.
            UnreachableError: there was no success for minutes.
            StoppedError: the caller ended it.

        """
        patience = Patience(_PATIENCE_S, stop)
        while True:
            if time.monotonic() >= ticket.fresh_until:
                return Stale(ticket.index, ticket.signings)
            reply = self._attempt(ticket, file, meter, stop)
            match judge(reply.status, reply.code) if reply else Answer.TRY_AGAIN:
                case Answer.STORED if reply:
                    return Sent(ticket.index, reply.etag)
                case Answer.SIGN_AGAIN if reply:
                    return _stale(ticket, reply, stop)
                case Answer.HASH_AGAIN:
                    _check_digest(ticket, file, stop)
                case Answer.REFUSED if reply:
                    raise _refusal(ticket, reply)
            if not patience.pause(at_least=reply.retry_after_s if reply else 0.0):
                raise _given_up(ticket, reply)

    def _attempt(
        self, ticket: Ticket, file: LocalFile, meter: Meter, stop: threading.Event
    ) -> Reply | None:
        """PUT once; None when the connection broke."""

        def body() -> Iterator[bytes]:
            for block in file.blocks(ticket.offset, ticket.length, stop):
                yield block
                meter.moved(ticket.index, len(block))

        headers = {**ticket.headers, "Content-Length": str(ticket.length)}
        is_stored = False
        try:
            answer = self._http.put(ticket.url, content=body(), headers=headers)
            is_stored = answer.status_code == httpx.codes.OK
        except CONNECTION_FAILURES:
            return None
        finally:
            if is_stored:
                meter.arrived(ticket.index)
            else:
                meter.failed(ticket.index)
        return Reply(
            status=answer.status_code,
            code=_code(answer.content),
            etag=answer.headers.get("ETag", "").strip('"'),
            retry_after_s=parse_retry_after(answer.headers.get("Retry-After")),
        )

    @contextmanager
    def reading(self, url: str, offset: int) -> Iterator[httpx.Response]:
        """Open a GET of an object from ``offset``; the caller judges status and bytes."""
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self._http.stream("GET", url, headers=headers) as answer:
            yield answer


def error_code(answer: httpx.Response) -> str:
    """Return S3's error code of an answer that was not read yet."""
    return _code(answer.read())


def _code(content: bytes) -> str:
    found = _CODE.search(content[:_ERROR_BYTES])
    return found[1].decode() if found else ""


def _stale(ticket: Ticket, reply: Reply, stop: threading.Event) -> Stale:
    """Ask for a new URL, the later the more often that was of no use."""
    if ticket.signings >= _MAX_SIGNINGS:
        raise _refusal(ticket, reply)
    if ticket.signings > 1 and stop.wait(delay_s(ticket.signings, chance=1.0)):
        raise StoppedError
    return Stale(ticket.index, ticket.signings)


def _check_digest(ticket: Ticket, file: LocalFile, stop: threading.Event) -> None:
    """Find out whether the file changed or its bytes broke on the way; the latter is retried."""
    if file.digest(ticket.offset, ticket.length, stop) != ticket.digest:
        raise FileChangedError(
            f"Chunk {ticket.index} of {file.path.name} changed while it was being uploaded; "
            "start a new upload.",
            [ticket.index],
        )


def _refusal(ticket: Ticket, reply: Reply) -> StoreError:
    return StoreError(f"S3 refuses chunk {ticket.index}", status=reply.status, code=reply.code)


def _given_up(ticket: Ticket, reply: Reply | None) -> StoreError | UnreachableError:
    if reply is None:
        return UnreachableError(f"S3 cannot be reached: chunk {ticket.index} was not sent.")
    return _refusal(ticket, reply)


def _hide_signatures() -> None:
    """Keep presigned URLs out of httpx's own log, which prints each address at INFO."""
    logger = logging.getLogger("httpx")
    if _without_query not in logger.filters:
        logger.addFilter(_without_query)


def _without_query(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(_bare(each) for each in record.args)
    return True


def _bare(value: Any) -> Any:
    if isinstance(value, httpx.URL) and "X-Amz-Signature" in value.params:
        return value.copy_with(query=b"signature-hidden")
    return value
