"""Run a failed job again, because an operator says that what it failed of is mended."""

from uuid import UUID

from coordinator.adapters import audit, jobs, queue, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import JobNotFailedError, JobNotFoundError, UploadNotFoundError
from coordinator.domain.jobs import Job
from coordinator.domain.uploads import Owner


async def retry_job(stores: Stores, job_id: UUID, owner: Owner, *, actor: str) -> Job:
    """Queue the job for one more attempt. Attempts go on being counted: it is the last again.

    The upload's row is held, so that no erasure begins in between.

    Raises:
        JobNotFoundError: there is none, its upload is another tenant's, or it is being erased.
        JobNotFailedError: it waits, runs or has succeeded.

    """
    async with transaction(stores.pool) as tx:
        found = await jobs.read(tx, job_id)
        if found is None:
            raise JobNotFoundError
        try:
            upload = await uploads.lock(tx, found.upload_id, owner)
        except UploadNotFoundError as exc:
            raise JobNotFoundError from exc
        job = await jobs.reopen(tx, job_id)
        if job is None:
            # Whoever ran it meanwhile decides what it is now.
            seen = await jobs.read(tx, job_id)
            assert seen is not None, "the upload's row keeps its jobs"
            raise JobNotFailedError(seen.state)
        await queue.enqueue_job(tx, job_id)
        await audit.of_upload(
            tx, "job.retried", upload, actor=actor, kind=job.kind, attempt=job.attempt + 1
        )
    await stores.ledger.notify(job.upload_id)
    return job
