"""What is seen of every request from outside: an id, one log line, one measurement.

Rule: the route's template is noted, never its path or query, which may hold ids and secrets.
"""

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, cast
from uuid import uuid4

import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry.trace import INVALID_SPAN, Span
from typing_extensions import override

from coordinator import tracing
from coordinator.telemetry import REQUESTS

_log = structlog.get_logger("coordinator.requests")

_EVENTS: Final = b"text/event-stream"
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
# What machines ask every few seconds, and a stream that looks at the stores for ten minutes.
_UNTRACED: Final = _QUIET | {"/api/uploads/{upload_id}/events"}


class Observed(ASGIMiddleware):
    """Gives every request an id, which problems and log lines repeat."""

    scopes = (ScopeType.HTTP,)

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Handle one request."""
        request_id = uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status, streamed_at = 500, None

        async def observed_send(message: Message) -> None:
            nonlocal status, streamed_at
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", []))
                if any(value.startswith(_EVENTS) for _name, value in headers):
                    streamed_at = time.perf_counter()
                headers.append((b"x-request-id", request_id.encode()))
                message["headers"] = headers
            await send(message)

        http = cast("dict[str, Any]", scope)
        method, route = http["method"], http.get("path_template") or "unknown"
        with _spanned(method, route, http["headers"], request_id) as span:
            started = time.perf_counter()
            try:
                await next_app(scope, receive, observed_send)
            finally:
                seconds = time.perf_counter() - started
                tracing.answered(span, status)
                # How long somebody follows an upload says nothing of the service.
                measured = seconds if streamed_at is None else streamed_at - started
                REQUESTS.labels(method, route, f"{status // 100}xx").observe(measured)
                if route not in _QUIET:
                    _log.info(
                        "request",
                        method=method,
                        route=route,
                        status=status,
                        milliseconds=round(seconds * 1000, 2),
                    )


def _spanned(
    method: str, route: str, headers: Iterable[tuple[bytes, bytes]], request_id: str
) -> AbstractContextManager[Span]:
    """Open the request's span, where one can be looked at."""
    if route in _UNTRACED:
        return nullcontext(INVALID_SPAN)
    return tracing.request(method, route, headers, request_id=request_id)


def observe_unrouted(status: int) -> str:
    """Note a request that met no route, and return its id: no middleware has seen it.

    Its method is left out: a label that anybody can choose has no bounds.
    """
    request_id = uuid4().hex
    REQUESTS.labels("other", "unknown", f"{status // 100}xx").observe(0.0)
    _log.info("request", request_id=request_id, route="unknown", status=status)
    return request_id
