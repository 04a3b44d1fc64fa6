"""Receive spans over OTLP/HTTP on this machine, and hold each trace until it is complete.

Rule: loopback only, and nothing is kept once it was taken: this is for looking at, not for storing.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from typing_extensions import override

from coordinator.cli.span_tree import Seen

PATH: Final = "/v1/traces"

# A job begins within a moment of the request that made it due: shown as one tree, not as two.
QUIET_SECONDS: Final = 2.0
_EXPORT_MILLISECONDS: Final = 200
_MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_REMEMBERED: Final = 1_000


class Receiver:
    """Spans as they arrive, trace by trace. Made by :func:`receiving`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._lock = threading.Lock()
        self._traces: dict[str, list[Seen]] = {}
        self._last_at: dict[str, float] = {}
        self._shown: dict[str, None] = {}

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to know so that its spans come here, soon and all of them."""
        return {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{self.port}{PATH}",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": str(_EXPORT_MILLISECONDS),
        }

    def add(self, spans: Iterable[Seen]) -> None:
        """Take spans in."""
        with self._lock:
            for span in spans:
                self._traces.setdefault(span.trace_id, []).append(span)
                self._last_at[span.trace_id] = time.monotonic()

    def due(self, *, quiet_seconds: float = QUIET_SECONDS) -> list[tuple[bool, list[Seen]]]:
        """Hand out the traces that have been quiet for a while, and forget them.

        Each comes with whether an earlier part of it was handed out before: work may go on later.
        """
        now = time.monotonic()
        with self._lock:
            quiet = [each for each, at in self._last_at.items() if now - at >= quiet_seconds]
            return [self._take(trace_id) for trace_id in quiet]

    def _take(self, trace_id: str) -> tuple[bool, list[Seen]]:
        del self._last_at[trace_id]
        continues = trace_id in self._shown
        self._shown[trace_id] = None
        if len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]
        return continues, self._traces.pop(trace_id)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen on a free port of loopback until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    receiver = Receiver(server.server_address[1])
    server.RequestHandlerClass = type("_BoundHandler", (_Handler,), {"receiver": receiver})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver
    timeout = 10

    def do_POST(self) -> None:
        """Take one batch in."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != PATH or length > _MAX_BODY_BYTES:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            batch = ExportTraceServiceRequest.FromString(self.rfile.read(length))
        except DecodeError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self.receiver.add(read(batch))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the traces."""


def read(batch: ExportTraceServiceRequest) -> Iterator[Seen]:
    """Read what a process has sent."""
    for each in batch.resource_spans:
        process = str(_attributes(each.resource.attributes).get("service.name", "?"))
        for scope in each.scope_spans:
            for span in scope.spans:
                yield Seen(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    process=process,
                    started_ns=span.start_time_unix_nano,
                    ended_ns=span.end_time_unix_nano,
                    is_error=span.status.code == Status.STATUS_CODE_ERROR,
                    attributes=_attributes(span.attributes),
                )


def _attributes(found: Iterable[KeyValue]) -> dict[str, str | int]:
    """Read those that are text or whole numbers: ours are no others."""
    return {
        each.key: each.value.int_value
        if each.value.HasField("int_value")
        else each.value.string_value
        for each in found
    }
