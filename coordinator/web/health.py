"""``/healthz``, ``/readyz``, ``/metrics``: for machines that watch machines; no key needed."""

from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from coordinator.adapters import listing
from coordinator.adapters.stores import Stores
from coordinator.telemetry import ACTIVE_UPLOADS, REGISTRY
from coordinator.web.problems import UNAVAILABLE
from coordinator.web.shapes import Answer


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
async def readyz(stores: NamedDependency[Stores]) -> Response[Readiness]:
    """Answer 200 while Postgres answers, 503 otherwise. Redis is told of, and decides nothing."""
    try:
        async with stores.pool.connection(timeout=2.0) as conn:
            await conn.execute("SELECT 1")
        postgres = "ok"
    except UNAVAILABLE:
        postgres = "away"
    redis = "ok" if await stores.ledger.answers() else "away"
    ready = postgres == "ok"
    answer = Readiness(status="ready" if ready else "not ready", postgres=postgres, redis=redis)
    return Response(answer, status_code=200 if ready else 503)


@get("/metrics", operation_id="metrics", summary="Metrics", tags=["operation"])
async def metrics(stores: NamedDependency[Stores]) -> Response[bytes]:
    """Expose the metrics of this process; `active_uploads` is true for all of them."""
    try:
        async with stores.pool.connection(timeout=2.0) as conn:
            ACTIVE_UPLOADS.set(await listing.count_open(conn))
    except UNAVAILABLE:
        ACTIVE_UPLOADS.set(float("nan"))
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
