"""Run one row of ``jobs``: begin an attempt, run the body, write what came of it."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from threading import Event
from typing import Any, Final
from uuid import UUID

import structlog
from opentelemetry.trace import SpanKind

from coordinator import points, tracing
from coordinator.adapters import jobs, uploads
from coordinator.adapters.artifacts import Artifact
from coordinator.adapters.entropy import chance
from coordinator.adapters.object_writing import Stored
from coordinator.adapters.outlasting import outlasting
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.adapters.tasks import end
from coordinator.domain.attempts import MAX_LOST, attempts_of, pause_after
from coordinator.domain.jobs import Job, State
from coordinator.domain.uploads import Upload
from coordinator.jobs.workspace import FatalJobError, Outcome, StoppedError, Workspace
from coordinator.operations.end_job import fail_job, stop_job, succeed_job
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.settings import Settings
from coordinator.telemetry import JOB_BYTES, JOB_DURATION, JOB_ROWS, JOBS
from coordinator.worker.bodies import HEAVY, Tools, body_of, open_workspace, parameters_of

_log = structlog.get_logger(__name__)

LOST: Final = "worker-lost"  # of a job that took its worker down again and again

_BEAT_SECONDS: Final = 2.0


@tracing.traced(SpanKind.CONSUMER)
async def run_job(
    stores: Stores, settings: Settings, job_id: UUID, tools: Tools | None = None
) -> None:
    """Run a job unless it is over. Its queue entry may come twice: only one attempt can write.

    A failed attempt puts a new queue entry in, until the attempts are used up.
    """
    tools = tools or Tools()
    async with AsyncExitStack() as slot:
        async with stores.pool.connection() as conn:
            seen = await jobs.read(conn, job_id)
        if seen is not None and seen.kind in HEAVY:
            await slot.enter_async_context(tools.heavy)
        job, upload = await outlasting(lambda: _started(stores, job_id))
        if job is None or upload is None:
            await outlasting(lambda: _settle(stores, job_id))
            return
        points.passed("job-started")
        # Whoever completed the upload may have died before it dropped the ledger: a hint, too.
        await ledger_or_nothing(stores.ledger.forget(upload))
        structlog.contextvars.bind_contextvars(upload_id=upload.public_id, kind=job.kind)
        tracing.describe(
            {
                tracing.UPLOAD_ID: upload.public_id,
                tracing.JOB_KIND: job.kind,
                tracing.ATTEMPT: job.attempt,
            }
        )
        if _is_lost(seen):
            state = await outlasting(lambda: fail_job(stores, job, LOST, again_in=None))
        else:
            state = await _attempt(stores, settings, tools, job, upload)
    await stores.ledger.notify(job.upload_id)
    JOBS.labels(job.kind, "fenced" if state is None else _OUTCOMES[state]).inc()


_OUTCOMES: Final = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.QUEUED: "retried",
    State.CANCELLED: "cancelled",
}


async def _started(stores: Stores, job_id: UUID) -> tuple[Job | None, Upload | None]:
    async with transaction(stores.pool) as tx:
        job = await jobs.start(tx, job_id)
        return job, None if job is None else await uploads.read_any(tx, job.upload_id)


async def _settle(stores: Stores, job_id: UUID) -> None:
    """End a job that was cancelled while a worker that died had it."""
    async with stores.pool.connection() as conn:
        job = await jobs.read(conn, job_id)
    if job is not None and job.state is State.RUNNING and job.cancelled_by is not None:
        await stop_job(stores, job)
        await stores.ledger.notify(job.upload_id)


async def _attempt(
    stores: Stores, settings: Settings, tools: Tools, job: Job, upload: Upload
) -> State | None:
    """Run the body once, and write what came of it; ``None``: another attempt has taken over."""
    stopped = Event()
    try:
        work = await open_workspace(
            stores, settings, tools, job=job, upload=upload, stopped=stopped
        )
        with JOB_DURATION.labels(job.kind).time():
            outcome = await _watched(stores, job, work, stopped)
        points.passed("job-done")
        state = await _written(stores, job, work, outcome)
    except StoppedError:
        return await outlasting(lambda: stop_job(stores, job))
    except FatalJobError as exc:
        _log.warning("job failed for good", attempt=job.attempt, code=exc.code, detail=str(exc))
        tracing.fail_current(exc)
        code = exc.code
        return await outlasting(lambda: fail_job(stores, job, code, again_in=None))
    except Exception as exc:  # noqa: BLE001 - no job takes the worker down, whatever it meets
        _log.exception("job failed", attempt=job.attempt)
        tracing.fail_current(exc)
        code, again_in = type(exc).__name__, _pause(job)
        return await outlasting(lambda: fail_job(stores, job, code, again_in=again_in))
    _log.info("job done", attempt=job.attempt, written=state is State.SUCCEEDED)
    if state is State.SUCCEEDED:
        _measure(job, upload, outcome)
    return state


async def _written(stores: Stores, job: Job, work: Workspace, outcome: Outcome) -> State | None:
    made = [_artifact(job, work, each) for each in work.written]

    def write() -> Coroutine[Any, Any, State | None]:
        return succeed_job(
            stores, job, outcome.result, blocks=outcome.blocks, rows=outcome.rows, made=made
        )

    return await outlasting(write)


def _is_lost(seen: Job | None) -> bool:
    """Whether worker after worker died of it, as far as one can tell."""
    return (
        seen is not None
        and seen.state is State.RUNNING
        and seen.attempt >= attempts_of(seen.kind).most + MAX_LOST
    )


def _pause(job: Job) -> timedelta | None:
    if job.attempt >= attempts_of(job.kind).most:
        return None
    return pause_after(job.kind, job.attempt, chance=chance())


async def _watched(stores: Stores, job: Job, work: Workspace, stopped: Event) -> Outcome:
    """Call the body in a thread: an async body that blocks would be taken for dead.

    Meanwhile its progress is written down, and it is told when it should stop.
    """
    beating = asyncio.create_task(_beat(stores, job, work, stopped))
    try:
        return await asyncio.to_thread(body_of(job.kind), work, parameters_of(job))
    finally:
        # Of a worker that leaves: the thread stops at its next look.
        stopped.set()
        await end([beating])


async def _beat(stores: Stores, job: Job, work: Workspace, stopped: Event) -> None:
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        done, total = work.progress or (None, None)

        async def note(done: int | None = done, total: int | None = total) -> bool:
            async with stores.pool.connection() as conn:
                return await jobs.beat(conn, job, done=done, total=total)

        if not await outlasting(note):
            stopped.set()
            return


def _artifact(job: Job, work: Workspace, stored: Stored) -> Artifact:
    return Artifact(
        job_id=job.id,
        kind=job.kind,
        path=work.path_of(stored),
        object_key=stored.key,
        size_bytes=stored.size_bytes,
        root=stored.root,
        sha256=stored.sha256,
        media_type=stored.media_type,
    )


def _measure(job: Job, upload: Upload, outcome: Outcome) -> None:
    JOB_BYTES.labels(job.kind).inc(upload.size_bytes)
    if outcome.rows is not None:
        JOB_ROWS.labels(job.kind).inc(outcome.rows)
