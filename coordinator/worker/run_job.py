"""Run one row of ``jobs``: begin an attempt, run the body, write what came of it."""

import asyncio
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from opentelemetry.trace import SpanKind

from coordinator import points, tracing
from coordinator.adapters import jobs, queue, uploads
from coordinator.adapters.outlasting import outlasting
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain import sigv4
from coordinator.domain.jobs import MAX_ATTEMPTS, Job
from coordinator.domain.uploads import Upload
from coordinator.jobs.generate_metadata import generate_metadata
from coordinator.jobs.object_reader import ObjectSource
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.settings import Settings
from coordinator.telemetry import JOBS

_log = structlog.get_logger(__name__)

_PAUSE: Final = timedelta(seconds=5)


@tracing.traced(SpanKind.CONSUMER)
async def run_job(stores: Stores, settings: Settings, job_id: UUID) -> None:
    """Run a job unless it is over. Its queue entry may come twice: only one attempt can write.

    A failed attempt puts a new queue entry in, until the attempts are used up.
    """
    job, upload = await outlasting(lambda: _started(stores, job_id))
    if job is None or upload is None:
        return
    points.passed("job-started")
    # Whoever completed the upload may have died before it dropped the ledger. It is a hint, too.
    await ledger_or_nothing(stores.ledger.forget(upload))
    structlog.contextvars.bind_contextvars(upload_id=upload.public_id, kind=job.kind)
    tracing.describe(
        {
            tracing.UPLOAD_ID: upload.public_id,
            tracing.JOB_KIND: job.kind,
            tracing.ATTEMPT: job.attempt,
        }
    )
    try:
        result = await _body(stores, settings, job, upload)
    except Exception as exc:  # noqa: BLE001 - no job takes the worker down, whatever it meets
        _log.exception("job failed", attempt=job.attempt)
        tracing.fail_current(exc)
        code = type(exc).__name__
        final = await outlasting(lambda: _failed(stores, job, code))
        await stores.ledger.notify(job.upload_id)
        JOBS.labels(job.kind, "failed" if final else "retried").inc()
        return
    points.passed("job-done")
    written = await outlasting(lambda: _succeeded(stores, job, result))
    await stores.ledger.notify(job.upload_id)
    JOBS.labels(job.kind, "succeeded" if written else "fenced").inc()
    _log.info("job done", attempt=job.attempt, written=written)


async def _started(stores: Stores, job_id: UUID) -> tuple[Job | None, Upload | None]:
    async with transaction(stores.pool) as tx:
        job = await jobs.start(tx, job_id)
        return job, None if job is None else await uploads.read_any(tx, job.upload_id)


async def _body(stores: Stores, settings: Settings, job: Job, upload: Upload) -> dict[str, Any]:
    """Call the body in a thread: an async body that blocks would be taken for dead."""
    credentials = await stores.bucket.credentials()
    source = ObjectSource(
        bucket=upload.bucket,
        key=upload.object_key,
        size=upload.size_bytes,
        endpoint=settings.s3_endpoint or sigv4.aws_endpoint(upload.region),
        region=upload.region,
        path_addressing=settings.uses_path_addressing,
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        session_token=credentials.session_token,
    )
    return await asyncio.to_thread(
        generate_metadata,
        source,
        file_name=upload.file_name,
        file_type=upload.file_type,
        parameters=job.parameters,
    )


async def _succeeded(stores: Stores, job: Job, result: dict[str, Any]) -> bool:
    async with transaction(stores.pool) as tx:
        return await jobs.succeed(tx, job, result)


async def _failed(stores: Stores, job: Job, code: str) -> bool:
    final = job.attempt >= MAX_ATTEMPTS
    async with transaction(stores.pool) as tx:
        written = await jobs.fail(tx, job, code, final=final)
        if written and not final:
            await queue.enqueue_job(tx, job.id, delay=_PAUSE * 2 ** (job.attempt - 1))
    return final
