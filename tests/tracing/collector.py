"""What tests look at spans with: kept in memory, or as the bytes that went over the wire."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext
from typing_extensions import override

from coordinator import tracing


@contextmanager
def recording() -> Iterator[InMemorySpanExporter]:
    """Record every span of this process until the block ends."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.install(provider)
    try:
        yield kept
    finally:
        tracing.install(None)
        provider.shutdown()


def named(spans: Sequence[ReadableSpan], name: str) -> ReadableSpan:
    """Return the one span of this name."""
    (found,) = [span for span in spans if span.name == name]
    return found


def below(spans: Sequence[ReadableSpan], parent: ReadableSpan) -> list[ReadableSpan]:
    """Return a span's children in the order in which they began."""
    found = [span for span in spans if span.parent and span.parent.span_id == id_of(parent)]
    return sorted(found, key=lambda span: span.start_time or 0)


def id_of(span: ReadableSpan) -> int:
    """Return a span's own id."""
    return _context(span).span_id


def trace_of(span: ReadableSpan) -> int:
    """Return the id of a span's trace."""
    return _context(span).trace_id


def _context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def told(span: ReadableSpan) -> dict[str, Any]:
    """Return a span's attributes."""
    return dict(span.attributes or {})


@contextmanager
def collecting() -> Iterator[tuple[str, list[bytes]]]:
    """Listen as a collector would; yield its address and the bodies that arrive."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", bodies
        finally:
            server.shutdown()
            thread.join()
