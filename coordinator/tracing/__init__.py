"""Spans: where the time of a request goes, through Postgres, Redis and S3, and on into the worker.

Rule: a span says what was called, how it ended and for which upload of ours, never with what. No
path, query, header, key, URL or statement is in one, and of an exception the type alone: messages
hold URLs, tracebacks hold locals. Without a provider (see exporting.py) nothing here does anything.
"""

import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, ParamSpec, TypeVar

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

UPLOAD_ID: Final = "coordinator.upload_id"  # ours, which the caller knows too
REQUEST_ID: Final = "coordinator.request_id"
INTENT: Final = "coordinator.intent"
ATTEMPT: Final = "coordinator.attempt"
JOB_KIND: Final = "coordinator.job_kind"
ERROR_TYPE: Final = "error.type"
METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
STATUS: Final = "http.response.status_code"
DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"
DB_SUMMARY: Final = "db.query.summary"

P = ParamSpec("P")
T = TypeVar("T")
Attributes = Mapping[str, str | int]

_SERVER_FAULT: Final = 500
_W3C: Final = TraceContextTextMapPropagator()
_W3C_HEADERS: Final = frozenset({b"traceparent", b"tracestate"})

_tracer: Tracer | None = None


def install(provider: TracerProvider | None) -> None:
    """Record spans with ``provider`` from now on; ``None`` ends that."""
    global _tracer  # noqa: PLW0603 - one a process, so that without it a span costs one look
    _tracer = None if provider is None else provider.get_tracer("coordinator")


@contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    within: contexts.Context | None = None,
) -> Iterator[Span]:
    """Open a span that everything inside the block belongs to; it may begin a trace."""
    if _tracer is None:
        yield INVALID_SPAN
        return
    opened = _tracer.start_span(name, within, kind, attributes)
    token = contexts.attach(trace.set_span_in_context(opened, within))
    try:
        yield opened
    except BaseException as exc:
        fail(opened, exc)
        raise
    finally:
        contexts.detach(token)
        opened.end()


def traced(
    kind: SpanKind = SpanKind.INTERNAL,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Make every call of a coroutine function a span under the function's name."""

    def decorate(work: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(work)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            with span(work.__name__, kind=kind):
                return await work(*args, **kwargs)

        return run

    return decorate


@contextmanager
def call(name: str, attributes: Attributes) -> Iterator[Span]:
    """Open a span for one call to another system, if it is made within a trace.

    Calls never begin one: a worker's looking round, every few seconds, would bury the rest.
    """
    opened = start_call(name, attributes)
    try:
        yield opened
    except BaseException as exc:
        fail(opened, exc)
        raise
    finally:
        opened.end()


def start_call(name: str, attributes: Attributes) -> Span:
    """Open what :func:`call` opens, for a caller that ends it by itself."""
    # The parent may have ended: what outlasts its request stays in its trace.
    if _tracer is None or not trace.get_current_span().get_span_context().trace_flags.sampled:
        return INVALID_SPAN
    return _tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)


def s3_call(operation: str) -> Mapping[str, str]:
    """Describe a call to S3, by S3's name of it."""
    return {"rpc.system.name": "aws-api", "rpc.method": f"S3/{operation}"}


def redis_call(operation: str) -> Mapping[str, str]:
    """Describe a call to Redis, by the name of the script or command."""
    return {DB_SYSTEM: "redis", DB_OPERATION: operation}


@contextmanager
def request(
    method: str, route: str, headers: Iterable[tuple[bytes, bytes]], *, request_id: str
) -> Iterator[Span]:
    """Open the span of a request, in the caller's trace if its ``traceparent`` names one."""
    if _tracer is None:
        yield INVALID_SPAN
        return
    carrier = {
        name.decode(): value.decode("latin-1") for name, value in headers if name in _W3C_HEADERS
    }
    told = {METHOD: method, ROUTE: route, REQUEST_ID: request_id}
    within = _W3C.extract(carrier, contexts.Context())
    with span(f"{method} {route}", told, kind=SpanKind.SERVER, within=within) as opened:
        yield opened


def answered(opened: Span, status: int) -> None:
    """Note a request's status. What we refuse is no fault of ours, and no error of the span."""
    opened.set_attribute(STATUS, status)
    if status >= _SERVER_FAULT:
        opened.set_status(StatusCode.ERROR)


def fail(opened: Span, exc: BaseException) -> None:
    """Let a span say that it failed, and by which type of exception."""
    opened.set_attribute(ERROR_TYPE, type(exc).__name__)
    opened.set_status(StatusCode.ERROR)


def describe(attributes: Attributes) -> None:
    """Say more of the span that is open here."""
    trace.get_current_span().set_attributes(dict(attributes))


def fail_current(exc: BaseException) -> None:
    """Let the span that is open here say that it failed, where the exception flies no further."""
    fail(trace.get_current_span(), exc)


def trace_id() -> str | None:
    """Return the id of the trace that this is in, as collectors show it."""
    here = trace.get_current_span().get_span_context()
    return trace.format_trace_id(here.trace_id) if here.is_valid else None


def carry() -> dict[str, str]:
    """Return what a queue entry carries so that its work stays in this trace, as ``trace``."""
    carrier: dict[str, str] = {}
    if _tracer is not None:
        _W3C.inject(carrier)
    return {"trace": carrier["traceparent"]} if "traceparent" in carrier else {}


@contextmanager
def carried_on(traceparent: str | None) -> Iterator[None]:
    """Let spans in the block belong to the trace that :func:`carry` was called in."""
    if _tracer is None or traceparent is None:
        yield
        return
    token = contexts.attach(_W3C.extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        contexts.detach(token)
