"""What somebody wants of one job: that it runs again, or does not run any more."""

from uuid import UUID

from coordinator.adapters import audit, jobs, queue, uploads
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import (
    JobNotFailedError,
    JobNotFoundError,
    JobOverError,
    UploadNotFoundError,
)
from coordinator.domain.jobs import Job, State, revived
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.end_job import advance


async def retry_job(stores: Stores, job_id: UUID, owner: Owner, *, actor: str) -> Job:
    """Queue a failed job for one more attempt. Attempts go on being counted: it is the last again.

    Jobs that were skipped because of it wait for it again.

    Raises:
        JobNotFoundError: there is none, its upload is another tenant's, or it is being erased.
        JobNotFailedError: it waits, runs or has succeeded.

    """
    async with transaction(stores.pool) as tx:
        upload = await _held(tx, job_id, owner)
        job = await jobs.reopen(tx, job_id)
        if job is None:
            seen = await jobs.read(tx, job_id)
            assert seen is not None, "the upload's row keeps its jobs"
            raise JobNotFailedError(seen.state)
        await jobs.revive(tx, revived(await jobs.of_upload(tx, job.upload_id), job_id))
        await queue.enqueue_job(tx, job_id, job.kind)
        await audit.of_upload(
            tx, "job.retried", upload, actor=actor, kind=job.kind, attempt=job.attempt + 1
        )
    await stores.ledger.notify(job.upload_id)
    return job


async def cancel_job(stores: Stores, job_id: UUID, owner: Owner, *, actor: str) -> Job:
    """End a job that has not begun; one that runs stops as soon as it looks, within seconds.

    Asking again changes nothing.

    Raises:
        JobNotFoundError: there is none, its upload is another tenant's, or it is being erased.
        JobOverError: it has ended already, and not by being cancelled.

    """
    async with transaction(stores.pool) as tx:
        upload = await _held(tx, job_id, owner)
        job = await jobs.cancel(tx, job_id, actor=actor)
        if job is None:
            seen = await jobs.read(tx, job_id)
            assert seen is not None, "the upload's row keeps its jobs"
            if seen.cancelled_by is None:
                raise JobOverError(seen.state)
            return seen
        over = [job.id] if job.state is State.CANCELLED else []
        await advance(tx, stores, job.upload_id, ended=over)
        await audit.of_upload(tx, "job.cancelled", upload, actor=actor, kind=job.kind)
    await stores.ledger.notify(job.upload_id)
    return job


async def _held(tx: Tx, job_id: UUID, owner: Owner) -> Upload:
    """Hold the job's upload, so that no erasure begins in between, and all jobs of it."""
    found = await jobs.read(tx, job_id)
    if found is None:
        raise JobNotFoundError
    try:
        upload = await uploads.lock(tx, found.upload_id, owner)
    except UploadNotFoundError as exc:
        raise JobNotFoundError from exc
    await jobs.lock_of_upload(tx, found.upload_id)
    return upload
