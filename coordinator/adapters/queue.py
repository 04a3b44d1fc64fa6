"""The queue: procrastinate's, in our Postgres, written through the transaction at hand."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued

from coordinator.adapters.postgres import Tx

RUN_JOB: Final = "run_job"
VERIFY_OBJECT: Final = "verify_object"

# Defers only, on connections that are passed in: it never opens one of its own.
_APP: Final = App(connector=PsycopgConnector())


async def enqueue_job(tx: Tx, job_id: UUID, *, delay: timedelta | None = None) -> None:
    """Let a worker run a row of ``jobs``; the entry exists if and only if ``tx`` commits."""
    wait = None if delay is None else {"seconds": int(delay.total_seconds())}
    await _APP.configure_task(RUN_JOB, connection=tx, queue="jobs", schedule_in=wait).defer_async(
        job_id=str(job_id)
    )


async def enqueue_verification(tx: Tx, upload_id: UUID) -> None:
    """Let a worker hash the whole object and finish the upload; it is queued once at a time."""
    task = _APP.configure_task(
        VERIFY_OBJECT,
        connection=tx,
        queue="uploads",
        lock=str(upload_id),
        queueing_lock=str(upload_id),
    )
    try:
        async with tx.transaction():
            await task.defer_async(upload_id=str(upload_id))
    except AlreadyEnqueued:
        return
