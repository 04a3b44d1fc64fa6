"""Pieces of answers that several routes share, and their conversion from the domain."""

from datetime import UTC, datetime
from typing import Any, NewType, Self
from uuid import UUID

import msgspec
import structlog

from coordinator import tracing
from coordinator.domain import ids
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.jobs import Job, PipelineStatus, State
from coordinator.domain.uploads import Owner
from coordinator.operations.read_pipeline import Pipeline
from coordinator.operations.read_progress import Progress

Timestamp = NewType("Timestamp", str)


def stamp(moment: datetime) -> Timestamp:
    """Write a time as RFC 3339 in UTC, with milliseconds and ``Z``."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return Timestamp(text.replace("+00:00", "Z"))


def stamp_or_null(moment: datetime | None) -> Timestamp | None:
    """Write a time that may not have come."""
    return None if moment is None else stamp(moment)


def known_upload(text: str, owner: Owner) -> UUID:
    """Read an upload's id, and let log lines and the span of this request carry it.

    Raises:
        UploadNotFoundError: it is no id of an upload, or for ``owner`` another one is all there is.

    """
    upload_id = ids.decode(ids.UPLOAD, text)
    if upload_id is None or owner.only not in {None, upload_id}:
        raise UploadNotFoundError
    structlog.contextvars.bind_contextvars(upload_id=text)
    tracing.describe({tracing.UPLOAD_ID: text})
    return upload_id


class Strict(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A request: what is not known is refused and not ignored."""


class Answer(msgspec.Struct, rename="camel", kw_only=True):
    """A response: camelCase, every field always there."""


class ProgressAnswer(Answer):
    """How far an upload is."""

    uploaded: int
    total: int
    percentage: float

    @classmethod
    def of(cls, uploaded: int, total: int) -> Self:
        """Count; an upload has at least one chunk."""
        return cls(uploaded=uploaded, total=total, percentage=round(100 * uploaded / total, 2))

    @classmethod
    def of_progress(cls, progress: Progress) -> Self:
        """Count the chunks that have arrived."""
        return cls.of(len(progress.uploaded), progress.total)


class JobAnswer(Answer):
    """A job as completion shows it."""

    job_id: str
    kind: str
    status: State


class JobProgress(Answer):
    """How far a running job is, in bytes or rows, as it counts."""

    done: int
    total: int


class JobDetail(JobAnswer):
    """A job with all that it found. `needs` names the jobs that must have succeeded before it.

    `blocks` says why no job that needs it may run; `errorCode` why it failed or was skipped.
    """

    upload_id: str
    parameters: dict[str, Any]
    needs: list[str]
    attempt: int
    progress: JobProgress | None
    result: dict[str, Any] | None
    error_code: str | None
    blocks: str | None
    is_cancelling: bool
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Convert a row."""
        has_progress = job.done is not None and job.total is not None
        return cls(
            job_id=ids.encode(ids.JOB, job.id),
            kind=job.kind,
            status=job.state,
            upload_id=ids.encode(ids.UPLOAD, job.upload_id),
            parameters=job.parameters,
            needs=[ids.encode(ids.JOB, each) for each in job.needs],
            attempt=job.attempt,
            progress=JobProgress(done=job.done or 0, total=job.total or 0)
            if has_progress
            else None,
            result=job.result,
            error_code=job.error_code,
            blocks=job.blocks,
            is_cancelling=job.cancelled_by is not None and job.state is State.RUNNING,
            created_at=stamp(job.created_at),
            started_at=stamp_or_null(job.started_at),
            finished_at=stamp_or_null(job.finished_at),
        )


class PipelineAnswer(Answer):
    """The jobs of an upload, taken together; `estimatedTime` is null until some were measured."""

    status: PipelineStatus
    estimated_time: str | None
    jobs: list[JobAnswer]

    @classmethod
    def of(cls, pipeline: Pipeline) -> Self:
        """Convert what was read."""
        return cls(
            status=pipeline.status,
            estimated_time=pipeline.estimated_time,
            jobs=[
                JobAnswer(job_id=ids.encode(ids.JOB, job.id), kind=job.kind, status=job.state)
                for job in pipeline.jobs
            ],
        )
