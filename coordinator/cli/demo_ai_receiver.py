"""A receiver of webhooks on loopback, as a customer would run one, for ``coordinator demo-ai``.

It checks each signature by the library of Standard Webhooks and takes each id once. Now and then
its answer gets lost: it has taken the message, and whoever sent it must believe that it has not.
"""

import base64
import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError
from typing_extensions import override

EVENTS: Final = "/events"
TRAINER: Final = "/trainer"

_LOST_EVERY: Final = 5
_LARGEST: Final = 1024 * 1024


class Receiver:
    """What it has heard. Both paths have the same secret.

    Of what is new on a path, the first and each ``lost_every``-th thereafter gets a lost answer.
    """

    def __init__(self, *, lost_every: int | None) -> None:
        self.url = ""
        self._lost_every = lost_every
        self.secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self.requests: Counter[tuple[str, str]] = Counter()  # by path and id, well signed
        self.unsigned = 0
        self.changed_bodies = 0
        self.accepted: dict[str, dict[str, Any]] = {EVENTS: {}, TRAINER: {}}
        self._bodies: dict[tuple[str, str], bytes] = {}
        self._lost: set[tuple[str, str]] = set()
        self._webhook = Webhook(self.secret)
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, str]:
        """The variables that make a service and its worker send here."""
        said = {"secret": self.secret, "allowPrivate": True}
        sink = {"kind": "http", "name": "demo", "url": self.url + EVENTS, **said}
        trainer = {"kind": "webhook", "name": "demo", "url": self.url + TRAINER, **said}
        return {
            "COORDINATOR_EVENT_SINKS": json.dumps([sink]),
            "COORDINATOR_TRAINERS": json.dumps([trainer]),
        }

    def hear(self, path: str, headers: dict[str, str], body: bytes) -> HTTPStatus:
        """Take a message, or what is none."""
        with self._lock:
            try:
                message = self._webhook.verify(body, headers)
            except (WebhookVerificationError, ValueError):
                self.unsigned += 1
                return HTTPStatus.UNAUTHORIZED
            name = (path, headers["webhook-id"])
            self.requests[name] += 1
            self.changed_bodies += self._bodies.setdefault(name, body) != body
            taken = self.accepted[path]
            is_new = name[1] not in taken
            if is_new:
                taken[name[1]] = message
            if is_new and self._lost_every and len(taken) % self._lost_every == 1:
                self._lost.add(name)
                return HTTPStatus.SERVICE_UNAVAILABLE
            self._lost.discard(name)
            return HTTPStatus.NO_CONTENT

    def repeats(self, path: str) -> int:
        """How often something came that was there already."""
        with self._lock:
            return sum(count - 1 for (each, _), count in self.requests.items() if each == path)

    def unanswered(self, path: str) -> int:
        """How many messages were taken whose sender cannot know it yet."""
        with self._lock:
            return sum(each == path for each, _ in self._lost)

    def taken(self, path: str) -> dict[str, Any]:
        """Return what was taken there, by id."""
        with self._lock:
            return dict(self.accepted[path])

    def forget(self) -> None:
        """Begin anew; the secret stays."""
        with self._lock:
            self.requests.clear()
            self._bodies.clear()
            self._lost.clear()
            self.accepted = {EVENTS: {}, TRAINER: {}}
            self.unsigned = self.changed_bodies = 0


def _handler(hear: Callable[[str, dict[str, str], bytes], HTTPStatus]) -> Any:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", "0"))
            if self.path not in {EVENTS, TRAINER} or size > _LARGEST:
                self._answer(HTTPStatus.NOT_FOUND)
                return
            body = self.rfile.read(size)
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(hear(self.path, headers, body))

        def _answer(self, status: HTTPStatus) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the report does."""

    return Handler


@contextmanager
def receiving(*, lost_every: int | None = _LOST_EVERY) -> Iterator[Receiver]:
    """Run a receiver on a free port until the block ends; ``None``: no answer gets lost."""
    receiver = Receiver(lost_every=lost_every)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver.hear))
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
