"""The composition root of the worker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from procrastinate import App
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status
from prometheus_client import start_http_server

from coordinator import tracing
from coordinator.adapters import job_listing, listing, queue
from coordinator.adapters.queue_connector import PatientConnector
from coordinator.adapters.stores import Stores, open_stores
from coordinator.domain.capabilities import EVERYTHING, Capabilities
from coordinator.domain.kinds import Kind
from coordinator.domain.trainers import Trainer
from coordinator.jobs.executors import open_executor
from coordinator.jobs.inline import Inline
from coordinator.operations.chain_audit import EVERY_ROW, chain_audit
from coordinator.operations.complete_by_itself import complete_missed
from coordinator.operations.erase import erase
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.poll_trainings import EVERY, poll_trainings
from coordinator.operations.retain_uploads import retain_uploads
from coordinator.operations.sweep_bucket import sweep_bucket
from coordinator.operations.take_over_uploads import take_over, take_over_uploads
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from coordinator.telemetry import ACTIVE_UPLOADS, JOBS_OLDEST, JOBS_QUEUED, REGISTRY
from coordinator.worker.bodies import Tools, options_of
from coordinator.worker.deliveries import deliver_events
from coordinator.worker.rounds import Duty, go_round
from coordinator.worker.run_job import run_job
from coordinator.worker.stopping import HandedOn, leave, work_until_told

_AHEAD_ON_DASK: Final = 32
_HEARTBEAT_SECONDS: Final = 30.0  # procrastinate's workers say every 10 s that they live


async def run(
    settings: Settings,
    capabilities: Capabilities = EVERYTHING,
    *,
    queues: Sequence[str] | None = None,
    dask_address: str | None = None,
) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way, for at most 30 s.

    ``queues``: only what stands in these; everything else is left to other workers.
    """
    if settings.worker_metrics_port:
        start_http_server(settings.worker_metrics_port, addr=settings.host, registry=REGISTRY)
    async with (
        open_stores(settings, capabilities) as stores,
        _tools(settings, dask_address) as tools,
    ):
        app = _app(stores, settings, tools)
        async with app.open_async():
            await work_until_told(
                app,
                partial(
                    _go_round, stores, app, settings.s3_prefix, trainers=tools.options.trainers
                ),
                concurrency=settings.worker_concurrency,
                queues=queues,
            )
    await leave()


@asynccontextmanager
async def _tools(settings: Settings, dask_address: str | None) -> AsyncIterator[Tools]:
    """Open what runs the pieces of jobs; it lets go of what still runs when the worker ends."""
    processes = settings.worker_processes
    opened = (
        open_executor(
            processes, dask_address, log_level=settings.log_level, secrets=settings.confidential
        )
        if processes or dask_address
        else nullcontext(Inline())
    )
    with opened as executor:
        yield Tools(
            executor=executor,
            options=options_of(settings),
            heavy=asyncio.Semaphore(settings.worker_heavy_jobs),
            ahead=_AHEAD_ON_DASK if dask_address else 2 * max(1, processes),
        )


def _app(stores: Stores, settings: Settings, tools: Tools | None = None) -> App:
    app = App(connector=PatientConnector(settings.database_url))

    @app.task(name=queue.RUN_JOB, queue="jobs", retry=HandedOn())
    async def _run_job(job_id: str, trace: str | None = None) -> None:
        with tracing.carried_on(trace):
            await run_job(stores, settings, UUID(job_id), tools)

    @app.task(name=queue.VERIFY_OBJECT, queue="uploads", retry=HandedOn())
    async def _verify_object(upload_id: str, trace: str | None = None) -> None:
        with tracing.carried_on(trace):
            await verify_object(stores, UUID(upload_id))

    @app.task(name=queue.COMPLETE_UPLOAD, queue="uploads", retry=HandedOn())
    async def _complete_upload(upload_id: str, trace: str | None = None) -> None:
        with tracing.carried_on(trace):
            await take_over(stores, UUID(upload_id))

    return app


async def _go_round(
    stores: Stores,
    app: App,
    prefix: str,
    stopping: asyncio.Event,
    trainers: Sequence[Trainer] = (),
) -> None:
    """Go round in loops: a sweep takes as long as it takes, and keeps no other duty waiting.

    So does the audit's chain: where S3 hangs, its heads wait for it, and nothing else does.
    """
    chaining = [
        Duty("chain-audit", partial(chain_audit, stores, prefix), every=timedelta(seconds=10)),
        Duty(
            "chain-audit-whole",
            partial(chain_audit, stores, prefix, back=EVERY_ROW),
            every=timedelta(hours=1),
        ),
    ]
    keeping = [
        Duty("erase", partial(erase, stores)),
        Duty("retain", partial(retain_uploads, stores), every=timedelta(hours=1)),
    ]
    polling = Duty("poll-trainings", partial(poll_trainings, stores, trainers), every=EVERY)
    sweep = Duty("sweep", partial(sweep_bucket, stores, prefix), every=timedelta(hours=1))
    await asyncio.gather(
        go_round(stores, _duties(stores, app), stopping),
        go_round(stores, chaining, stopping),
        go_round(stores, keeping, stopping),
        go_round(stores, [sweep], stopping),
        go_round(stores, [polling], stopping),
        deliver_events(stores, stopping),
    )


def _duties(stores: Stores, app: App) -> list[Duty]:
    async def observe() -> None:
        async with stores.pool.connection() as conn:
            ACTIVE_UPLOADS.set(await listing.count_open(conn))
            depths = {each.kind: each for each in await job_listing.depths(conn)}
        for kind in Kind:
            depth = depths.get(kind)
            JOBS_QUEUED.labels(kind).set(depth.jobs if depth else 0)
            JOBS_OLDEST.labels(kind).set(depth.oldest_seconds if depth else 0)

    async def rescue() -> None:
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_HEARTBEAT_SECONDS)
        for job in stalled:
            try:
                await app.job_manager.retry_job(job, retry_at=queue.AT_ONCE)
            except UniqueViolation:
                # The same was queued again meanwhile, and waits for the lock that this one holds.
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)

    return [
        Duty("observe", observe),
        Duty("take-over", partial(take_over_uploads, stores)),
        Duty("complete-missed", partial(complete_missed, stores), every=timedelta(seconds=10)),
        Duty("expire", partial(expire_uploads, stores), every=timedelta(seconds=10)),
        Duty("rescue", rescue, every=timedelta(seconds=10)),
    ]
