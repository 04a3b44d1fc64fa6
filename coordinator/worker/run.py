"""The composition root of the worker."""

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

from procrastinate import App, PsycopgConnector
from prometheus_client import start_http_server

from coordinator.adapters import listing, queue
from coordinator.adapters.stores import Stores, open_stores
from coordinator.operations.complete_by_itself import complete_missed
from coordinator.operations.take_over_uploads import take_over, take_over_uploads
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from coordinator.telemetry import ACTIVE_UPLOADS, REGISTRY
from coordinator.worker.rounds import Duty, go_round
from coordinator.worker.run_job import run_job

_HEARTBEAT_SECONDS: Final = 30.0  # procrastinate's workers say every 10 s that they live
_DRAIN_SECONDS: Final = 30.0


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way, for at most 30 s."""
    if settings.worker_metrics_port:
        start_http_server(settings.worker_metrics_port, addr=settings.host, registry=REGISTRY)
    async with open_stores(settings) as stores:
        app = _app(stores, settings)
        async with app.open_async():
            stopping = asyncio.Event()
            rounds = asyncio.create_task(go_round(stores, _duties(stores, app), stopping))
            try:
                await app.run_worker_async(
                    concurrency=settings.worker_concurrency,
                    shutdown_graceful_timeout=_DRAIN_SECONDS,
                    fetch_job_polling_interval=2.0,
                )
            finally:
                stopping.set()
                await asyncio.wait({rounds}, timeout=_DRAIN_SECONDS)
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

    @app.task(name=queue.COMPLETE_UPLOAD, queue="uploads")
    async def _complete_upload(upload_id: str) -> None:
        await take_over(stores, UUID(upload_id))

    return app


def _duties(stores: Stores, app: App) -> list[Duty]:
    async def observe() -> None:
        async with stores.pool.connection() as conn:
            ACTIVE_UPLOADS.set(await listing.count_open(conn))

    async def take_over_all() -> None:
        await take_over_uploads(stores)

    async def complete_unreported() -> None:
        await complete_missed(stores)

    async def rescue() -> None:
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_HEARTBEAT_SECONDS)
        for job in stalled:
            await app.job_manager.retry_job(job)

    return [
        Duty("observe", observe),
        Duty("take-over", take_over_all),
        Duty("complete-missed", complete_unreported, every=timedelta(seconds=10)),
        Duty("rescue", rescue, every=timedelta(seconds=10)),
    ]
