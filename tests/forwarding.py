"""What every HTTP proxy of the tests needs: read a request whole, pass it on, answer it.

Signatures are made for the proxy's address, so ``Host`` is passed on as it came, and S3 itself
judges what arrives.
"""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

_PATIENCE_S: Final = 60.0
_OURS: Final = frozenset({"content-length", "transfer-encoding", "connection"})


class Request(NamedTuple):
    """A request as it arrived; ``target`` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path alone."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query, each name once."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


class Answer(NamedTuple):
    """An answer; a HEAD's keeps the length of the body that it has not."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Upstream = Callable[[Request], Answer]


def passing_to(upstream: str) -> Upstream:
    """Return what passes requests on to ``upstream``, an address as endpoints are given.

    It raises ``OSError`` or ``http.client.HTTPException`` when that does not answer.
    """
    netloc = urlsplit(upstream).netloc

    def pass_on(request: Request) -> Answer:
        connection = http.client.HTTPConnection(netloc, timeout=_PATIENCE_S)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() != "expect"}
            connection.request(request.method, request.target, request.body or None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    return pass_on


class Forwarding(BaseHTTPRequestHandler):
    """A connection of a client. Subclasses say in :meth:`meet` what happens to its requests."""

    protocol_version = "HTTP/1.1"

    def meet(self, request: Request) -> None:
        """Do with ``request`` what there is to do."""
        raise NotImplementedError

    def serve(self) -> None:
        """Read one request and meet it."""
        if (request := self._receive()) is not None:
            self.meet(request)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def _receive(self) -> Request | None:
        """Read the request; ``None`` when its client died in the middle of it."""
        length = int(self.headers.get("Content-Length") or 0)
        try:
            body = self.rfile.read(length)
        except ConnectionError:
            return None
        if len(body) < length:
            # S3 would wait for the rest for as long as we hold the line.
            self.close_connection = True
            return None
        return Request(self.command, self.path, dict(self.headers), body)

    def answer(self, answer: Answer) -> None:
        """Send an answer, if the client is still there."""
        self.send_response_only(answer.status)
        headers = {"date": formatdate(usegmt=True)}
        headers |= {name.lower(): value for name, value in answer.headers.items()}
        is_head = self.command == "HEAD"
        length = headers.get("content-length", "0") if is_head else str(len(answer.body))
        for name, value in headers.items():
            if name not in _OURS:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        try:
            self.end_headers()
            if not is_head:
                self.wfile.write(answer.body)
        except ConnectionError:
            self.close_connection = True

    def reset(self) -> None:
        """End the connection as a crash does: the client reads "connection reset by peer"."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[Forwarding]) -> Iterator[str]:
    """Answer on a free port until the block ends, and give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
