"""What is seen of every request from outside: an id, one log line, one measurement.

Rule: the route's template is noted, never its path or query, which may hold ids and secrets.
"""

import time
from typing import Any, Final, cast
from uuid import uuid4

import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from coordinator.telemetry import REQUESTS

_log = structlog.get_logger("coordinator.requests")

_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})


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
        status = 500

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", []))
                headers.append((b"x-request-id", request_id.encode()))
                message["headers"] = headers
            await send(message)

        started = time.perf_counter()
        try:
            await next_app(scope, receive, observed_send)
        finally:
            seconds = time.perf_counter() - started
            http = cast("dict[str, Any]", scope)
            route = http.get("path_template") or "unknown"
            REQUESTS.labels(http["method"], route, f"{status // 100}xx").observe(seconds)
            if route not in _QUIET:
                _log.info(
                    "request",
                    method=http["method"],
                    route=route,
                    status=status,
                    milliseconds=round(seconds * 1000, 2),
                )


def observe_unrouted(status: int) -> str:
    """Note a request that met no route, and return its id: no middleware has seen it.

    Its method is left out: a label that anybody can choose has no bounds.
    """
    request_id = uuid4().hex
    REQUESTS.labels("other", "unknown", f"{status // 100}xx").observe(0.0)
    _log.info("request", request_id=request_id, route="unknown", status=status)
    return request_id
