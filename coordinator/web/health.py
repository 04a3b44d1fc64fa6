"""``/healthz``, ``/readyz``, ``/metrics``: for machines that watch machines; no key needed."""

from typing import Final

from litestar import Response, get
from litestar.datastructures import State
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from coordinator.telemetry import ACTIVE_UPLOADS, REGISTRY
from coordinator.web.pulse import Pulse
from coordinator.web.shapes import Answer

# What prometheus_client names, but for the charset, which the framework adds.
_MEDIA_TYPE: Final = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")


class Health(Answer):
    """Alive."""

    status: str


class Readiness(Answer):
    """Whether requests can be served; without Redis they can, but for reports of chunks."""

    status: str
    postgres: str
    redis: str


@get("/healthz", operation_id="healthz", summary="Alive", tags=["operation"])
async def healthz() -> Health:
    """Answer while the process runs; no store is asked."""
    return Health(status="ok")


@get("/readyz", operation_id="readyz", summary="Ready", tags=["operation"])
async def readyz(state: State) -> Response[Readiness]:
    """Answer 200 while Postgres answers, 503 otherwise. Redis is told of, and decides nothing.

    503 from SIGTERM on, too: requests are still served for COORDINATOR_DRAIN_SECONDS, and no
    load balancer should send new ones.
    """
    if state.draining.is_set():
        leaving = Readiness(status="draining", postgres="not asked", redis="not asked")
        return Response(leaving, status_code=503)
    pulse: Pulse = state.pulse
    postgres, redis = ("ok" if it_answers else "away" for it_answers in await pulse.of_stores())
    ready = postgres == "ok"
    answer = Readiness(status="ready" if ready else "not ready", postgres=postgres, redis=redis)
    return Response(answer, status_code=200 if ready else 503)


@get(
    "/metrics",
    media_type=_MEDIA_TYPE,
    operation_id="metrics",
    summary="Metrics",
    tags=["operation"],
)
async def metrics(state: State) -> Response[bytes]:
    """Expose the metrics of this process; `active_uploads` is true for all of them."""
    pulse: Pulse = state.pulse
    count = await pulse.open_uploads()
    ACTIVE_UPLOADS.set(float("nan") if count is None else count)
    return Response(generate_latest(REGISTRY), media_type=_MEDIA_TYPE)


ROUTES: Final = (healthz, readyz, metrics)
