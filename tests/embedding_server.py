"""A little server that speaks OpenAI's ``POST /embeddings``, and misbehaves when it is told to."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

KEY = "sk-a-key-that-nobody-may-see"


class Asked:
    """What came, and what is answered next; without an order: vectors."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.next: deque[Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]] = deque()

    @property
    def texts(self) -> list[list[str]]:
        """The texts of each request."""
        return [body["input"] for body in self.bodies]


def vector_of(text: str, dimensions: int) -> list[float]:
    """Count words by their hashes: texts with the same words are near each other."""
    vector = [0.0] * dimensions
    for word in text.lower().split():
        vector[int.from_bytes(sha256(word.encode()).digest()[:4], "big") % dimensions] += 1.0
    return vector


def vectors(body: dict[str, Any], *, dimensions: int = 64) -> dict[str, Any]:
    """Answer as the real ones do."""
    wanted = body.get("dimensions", dimensions)
    data = [
        {"object": "embedding", "index": index, "embedding": vector_of(text, wanted)}
        for index, text in enumerate(body["input"])
    ]
    return {"object": "list", "model": body["model"], "data": data, "usage": {"total_tokens": 1}}


def answer(
    handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None
) -> None:
    """Send an answer."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(sent)))
    handler.end_headers()
    handler.wfile.write(sent)


@contextmanager
def embedding_server() -> Iterator[Asked]:
    """Run one on loopback until the block ends."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.times.append(time.monotonic())
            asked.bodies.append(body)
            asked.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.path != "/v1/embeddings":
                answer(self, 404, {})
            elif asked.next:
                asked.next.popleft()(self, body)
            else:
                answer(self, 200, vectors(body))

        @override
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    asked.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()
