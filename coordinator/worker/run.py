"""The composition root of the worker."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import structlog
from procrastinate import App, PsycopgConnector
from prometheus_client import start_http_server

from coordinator.adapters import listing, queue
from coordinator.adapters.stores import Stores, open_stores
from coordinator.operations.take_over_uploads import take_over_uploads
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from coordinator.telemetry import ACTIVE_UPLOADS, REGISTRY
from coordinator.worker.run_job import run_job

_log = structlog.get_logger(__name__)

_ROUND_SECONDS: Final = 10.0
_HEARTBEAT_SECONDS: Final = 30.0  # procrastinate's workers say every 10 s that they live
_DRAIN_SECONDS: Final = 30.0


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way, for at most 30 s."""
    if settings.worker_metrics_port:
        start_http_server(settings.worker_metrics_port, addr=settings.host, registry=REGISTRY)
    async with open_stores(settings) as stores:
        app = _app(stores, settings)
        async with app.open_async():
            rounds = asyncio.create_task(_rounds(stores, app))
            try:
                await app.run_worker_async(
                    concurrency=settings.worker_concurrency,
                    shutdown_graceful_timeout=_DRAIN_SECONDS,
                    fetch_job_polling_interval=2.0,
                )
            finally:
                rounds.cancel()
                await asyncio.gather(rounds, return_exceptions=True)


def _app(stores: Stores, settings: Settings) -> App:
    app = App(connector=PsycopgConnector(conninfo=settings.database_url, max_size=4))

    @app.task(name=queue.RUN_JOB, queue="jobs")
    async def _run_job(job_id: str) -> None:
        await run_job(stores, settings, UUID(job_id))

    @app.task(name=queue.VERIFY_OBJECT, queue="uploads")
    async def _verify_object(upload_id: str) -> None:
        await verify_object(stores, UUID(upload_id))

    return app


async def _rounds(stores: Stores, app: App) -> None:
    """Every 10 s, look for what dead processes left behind. A round that fails is not the last."""

    async def observe() -> None:
        async with stores.pool.connection() as conn:
            ACTIVE_UPLOADS.set(await listing.count_open(conn))

    async def take_over() -> None:
        await take_over_uploads(stores)

    async def rescue() -> None:
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_HEARTBEAT_SECONDS)
        for job in stalled:
            await app.job_manager.retry_job(job)

    duties: list[Callable[[], Awaitable[Any]]] = [observe, take_over, rescue]
    while True:
        for duty in duties:
            try:
                await duty()
            except Exception as exc:  # noqa: BLE001 - the loop outlives every failure, and says so
                _log.warning("round failed", duty=duty.__name__, error=type(exc).__name__)
        await asyncio.sleep(_ROUND_SECONDS)
