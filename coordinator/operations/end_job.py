"""The end of a job's attempt, and what it brings for the jobs that wait: one transaction."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from coordinator.adapters import artifacts, jobs, queue
from coordinator.adapters.artifacts import Artifact
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.jobs import Job, State, due
from coordinator.operations.tell_jobs import tell_jobs


async def succeed_job(
    stores: Stores,
    job: Job,
    result: Mapping[str, Any],
    *,
    blocks: str | None = None,
    rows: int | None = None,
    made: Sequence[Artifact] = (),
) -> State | None:
    """Store what an attempt found and made, and let those run that waited for it.

    Return the job's state; ``None``: another attempt has taken over, and nothing was written.
    """
    async with transaction(stores.pool) as tx:
        await jobs.lock_of_upload(tx, job.upload_id)
        if not await jobs.succeed(tx, job, result, blocks=blocks, rows=rows):
            return await _cancelled(tx, stores, job)
        await artifacts.put(tx, job.id, made)
        await _over(tx, stores, job)
    return State.SUCCEEDED


async def fail_job(
    stores: Stores, job: Job, code: str, *, again_in: timedelta | None
) -> State | None:
    """Note that an attempt failed; with ``again_in`` the job waits for the next one.

    Return the job's state; ``None``: another attempt has taken over, and nothing was written.
    """
    async with transaction(stores.pool) as tx:
        await jobs.lock_of_upload(tx, job.upload_id)
        seen = await jobs.read(tx, job.id)
        if seen is not None and seen.cancelled_by is not None:
            return await _cancelled(tx, stores, job)
        state = State.FAILED if again_in is None else State.QUEUED
        if not await jobs.fail(tx, job, code, to=state):
            return None
        if again_in is None:
            await _over(tx, stores, job)
        else:
            await queue.enqueue_job(tx, job.id, job.kind, delay=again_in)
    return state


async def stop_job(stores: Stores, job: Job) -> State | None:
    """Note that an attempt stopped because it should; ``None``: another one has taken over."""
    async with transaction(stores.pool) as tx:
        await jobs.lock_of_upload(tx, job.upload_id)
        return await _cancelled(tx, stores, job)


async def advance(tx: Tx, stores: Stores, upload_id: UUID, *, ended: Sequence[UUID] = ()) -> None:
    """Queue what may run now, and skip what never will. The upload's jobs must be held.

    Whoever listens is told of the jobs that have ``ended``, and of those that are skipped.
    """
    own = {each.id: each for each in await jobs.of_upload(tx, upload_id)}
    found = due(list(own.values()))
    for job_id, code in found.skipped:
        await jobs.skip(tx, job_id, code)
    if found.queued:
        await jobs.wake(tx, found.queued)
    for job_id in found.queued:
        await queue.enqueue_job(tx, job_id, own[job_id].kind)
    await tell_jobs(tx, stores, upload_id, [*ended, *(job_id for job_id, _ in found.skipped)])


async def _cancelled(tx: Tx, stores: Stores, job: Job) -> State | None:
    seen = await jobs.read(tx, job.id)
    if seen is None or seen.cancelled_by is None:
        return None
    if not await jobs.fail(tx, job, None, to=State.CANCELLED):
        return None
    await _over(tx, stores, job)
    return State.CANCELLED


async def _over(tx: Tx, stores: Stores, job: Job) -> None:
    await artifacts.drop_pieces(tx, job.id)
    await advance(tx, stores, job.upload_id, ended=[job.id])
