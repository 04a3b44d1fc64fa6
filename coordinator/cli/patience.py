"""How long the service waits for a client, and how much it takes from one before it is known.

uvicorn and its parser wait for ever and keep heads of any length. Here a request's head and body
have a deadline, what is sent must be read, and connections have a number. A client that breaks a
rule loses its connection, with a problem document where it has not got a part of an answer yet.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from coordinator.settings import Settings
from coordinator.web import hygiene
from coordinator.web.problems import HTTP_CODES

_log = structlog.get_logger(__name__)

MAX_HEAD_BYTES: Final = 32 * 1024
MAX_URL_BYTES: Final = 8 * 1024
MAX_HEADERS: Final = 100
# Requests that a client sends before it has got the answer to the one before.
MAX_WAITING: Final = 8

# Connections above the limit that are told so; those above these are cut without a word.
_MAX_SURPLUS: Final = 64
_BODY_BYTES_A_SECOND: Final = 64 * 1024
_READ_BYTES_A_SECOND: Final = 1024
_CODES: Final = HTTP_CODES | {503: "unavailable"}


class Patience(msgspec.Struct, frozen=True):
    """Seconds for which a client is waited for, and how many clients there may be."""

    head_seconds: float
    body_seconds: float
    write_seconds: float
    max_connections: int

    @classmethod
    def of(cls, settings: Settings) -> "Patience":
        """Read the settings."""
        return cls(
            head_seconds=settings.header_timeout_seconds,
            body_seconds=settings.body_timeout_seconds,
            write_seconds=settings.write_timeout_seconds,
            max_connections=settings.max_connections,
        )


class _RefusedError(Exception):
    """Ends the parser's work; what to answer is in the protocol."""


class Impatient(HttpToolsProtocol):
    """uvicorn's connection, with an end to each wait and a bound to each size."""

    patience: Patience

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refusal = (400, "The request is no HTTP that can be understood.")
        self._head_bytes = 0
        self._in_head = False
        self._is_surplus = False
        self._awaited: asyncio.TimerHandle | None = None  # the rest of a head or a body
        self._awaited_until = 0.0
        self._unread: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to wait for the first byte, or turn the client away."""
        super().connection_made(transport)
        if len(self.connections) > self.patience.max_connections and not self._make_room():
            self._is_surplus = True
            if len(self.connections) > self.patience.max_connections + _MAX_SURPLUS:
                transport.abort()
                return
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Forget all timers."""
        self._stop_awaiting()
        self._look_for_reading(0)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    @override
    def data_received(self, data: bytes) -> None:
        """Parse, and see to it that what was begun is finished in time."""
        if self.transport.is_closing():
            return
        if self._is_surplus:
            # Not before: who hangs up on bytes that it has not read takes its answer back.
            self._refuse(503, "The service holds as many connections as it can. Try again.")
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"A request's head has {MAX_HEAD_BYTES} bytes at most.")
        elif self._awaited is None and not self._is_answering():
            # The first bytes of a head, or line ends before it.
            self._await(self.patience.head_seconds)

    @override
    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    @override
    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        super().on_url(url)
        if len(self.url) > MAX_URL_BYTES:
            self._stop(414, f"A URL has {MAX_URL_BYTES} bytes at most.")

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._stop(431, f"A request has {MAX_HEADERS} headers at most.")

    @override
    def on_headers_complete(self) -> None:
        """Begin the request, and wait for its body from now on."""
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._stop(431, f"A request's head has {MAX_HEAD_BYTES} bytes at most.")
        if len(self.pipeline) >= MAX_WAITING:
            self._stop(400, "Too many requests were sent before the first was answered.")
        super().on_headers_complete()
        self._await(self.patience.body_seconds)

    @override
    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, and wait longer for the rest while somebody reads it."""
        super().on_body(body)
        if not self.cycle.response_complete:
            self._awaited_until += len(body) / _BODY_BYTES_A_SECOND

    @override
    def on_message_complete(self) -> None:
        """Wait for nothing more of this request."""
        self._stop_awaiting()
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        """See to it that the last bytes are read, too."""
        super().on_response_complete()
        self._look_for_reading(self.transport.get_write_buffer_size())

    @override
    def pause_writing(self) -> None:
        """Wait until the client reads what is there."""
        super().pause_writing()
        self._look_for_reading(self.transport.get_write_buffer_size())

    @override
    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        is_last = self.transport.is_closing() or not self._is_answering()
        self._look_for_reading(self.transport.get_write_buffer_size() if is_last else 0)

    @override
    def timeout_keep_alive_handler(self) -> None:
        """End a connection on which nothing happens; it may hold what nobody reads."""
        self.transport.abort()

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what the parser or one of the rules above does not take."""
        self._refuse(*self._refusal)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def is_idle(self) -> bool:
        """Whether nothing happens here: no request has begun, none waits for its answer."""
        return self._awaited is None and not self._is_answering()

    def _make_room(self) -> bool:
        """End a connection on which nothing happens, in favour of this one."""
        others = (each for each in self.connections if isinstance(each, Impatient))
        idle = next((each for each in others if each is not self and each.is_idle()), None)
        if idle is not None:
            idle.transport.abort()
        return idle is not None

    def _stop(self, status: int, detail: str) -> None:
        """Make the parser stop; uvicorn then calls ``send_400_response``."""
        self._refusal = (status, detail)
        raise _RefusedError

    def _refuse(self, status: int, detail: str) -> None:
        """Answer if that is possible, and hang up."""
        self._stop_awaiting()
        if self._is_answering():
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            # What the handler still says goes nowhere.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_answer(status, detail))
        self.transport.close()
        self._look_for_reading(self.transport.get_write_buffer_size())

    def _await(self, seconds: float) -> None:
        self._stop_awaiting()
        self._awaited_until = self.loop.time() + seconds
        self._awaited = self.loop.call_at(self._awaited_until, self._check_awaited)

    def _stop_awaiting(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None

    def _check_awaited(self) -> None:
        if self._is_answering() and (self.flow.read_paused or self.cycle.waiting_for_100_continue):
            # It is us who do not read.
            self._awaited_until = self.loop.time() + self.patience.body_seconds
        if self.loop.time() < self._awaited_until:
            self._awaited = self.loop.call_at(self._awaited_until, self._check_awaited)
            return
        self._awaited = None
        if self._in_head or self._is_answering():
            what = "head" if self._in_head else "body"
            self._refuse(408, f"The rest of the request's {what} did not come in time.")
        else:
            self.transport.abort()

    def _look_for_reading(self, unread: int) -> None:
        """Look again later whether the client has read of ``unread`` bytes; 0: stop looking."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if unread:
            self._unread = self.loop.call_later(
                self.patience.write_seconds, self._check_reading, unread
            )

    def _check_reading(self, before: int) -> None:
        self._unread = None
        left = self.transport.get_write_buffer_size()
        if left > before - self.patience.write_seconds * _READ_BYTES_A_SECOND and left:
            _log.info("client does not read", unread_bytes=left)
            self.transport.abort()
            return
        self._look_for_reading(left)


def patient(patience: Patience) -> type[HttpToolsProtocol]:
    """Return a protocol for uvicorn that waits as long as ``patience`` says."""
    return type("Patient", (Impatient,), {"patience": patience})


def _answer(status: int, detail: str) -> bytes:
    """Spell a whole answer, for requests that never reach the service's routes."""
    code, phrase = _CODES[status], HTTPStatus(status).phrase
    body = msgspec.json.encode(
        {
            "type": f"urn:upload-coordinator:problem:{code}",
            "title": phrase,
            "status": status,
            "detail": detail,
            "code": code,
        }
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *([(b"retry-after", b"2")] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
        *hygiene.completed([]),
    ]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, phrase.encode(), head, body)
