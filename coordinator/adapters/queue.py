"""The queue: procrastinate's, in our Postgres, written through the transaction at hand."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued

from coordinator import tracing
from coordinator.adapters.postgres import Tx
from coordinator.domain.kinds import Kind

RUN_JOB: Final = "run_job"
VERIFY_OBJECT: Final = "verify_object"
COMPLETE_UPLOAD: Final = "complete_upload"

# Beside those of jobs, a queue a kind.
OTHER_QUEUES: Final = ("uploads",)

# "Now" for what procrastinate stamps itself: long ago on every clock, so the host's is not asked.
AT_ONCE: Final = datetime(2000, 1, 1, tzinfo=UTC)

# Defers only, on connections that are passed in: it never opens one of its own.
_APP: Final = App(connector=PsycopgConnector())


# The queue compares with the database's clock; procrastinate would add to the host's.
_LATER: Final = "SELECT clock_timestamp() + %s AS due"


def queue_of(kind: Kind) -> str:
    """Return the name of a kind's queue: workers may serve some and not others."""
    return f"jobs.{kind}"


async def enqueue_job(tx: Tx, job_id: UUID, kind: Kind, *, delay: timedelta | None = None) -> None:
    """Let a worker run a row of ``jobs``; the entry exists if and only if ``tx`` commits."""
    due: datetime | None = None
    if delay is not None:
        row = await (await tx.execute(_LATER, [delay])).fetchone()
        assert row is not None, "a SELECT without FROM has a row"
        due = row["due"]
    deferrer = _APP.configure_task(RUN_JOB, connection=tx, queue=queue_of(kind), schedule_at=due)
    await deferrer.defer_async(job_id=str(job_id), **tracing.carry())


async def enqueue_verification(tx: Tx, upload_id: UUID) -> None:
    """Let a worker read the whole object and finish the upload."""
    await _enqueue_once(tx, VERIFY_OBJECT, upload_id)


async def enqueue_completion(tx: Tx, upload_id: UUID) -> None:
    """Let a worker drive an upload whose intent is committed."""
    await _enqueue_once(tx, COMPLETE_UPLOAD, upload_id)


async def _enqueue_once(tx: Tx, task: str, upload_id: UUID) -> None:
    """Queue it unless it waits already; one upload's entries never run side by side."""
    name = str(upload_id)
    deferrer = _APP.configure_task(
        task, connection=tx, queue="uploads", lock=name, queueing_lock=f"{task} {name}"
    )
    try:
        async with tx.transaction():
            await deferrer.defer_async(upload_id=name, **tracing.carry())
    except AlreadyEnqueued:
        return
