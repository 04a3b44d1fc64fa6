"""``GET /api/uploads/{uploadId}/timeline``: what happened to an upload, and when."""

from collections.abc import Iterator
from typing import Final, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from coordinator.adapters import jobs, timeline, uploads
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.access import Action
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.jobs import Job
from coordinator.domain.limits import RouteClass
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.shapes import Answer, Timestamp, known_upload, stamp

What = Literal["opened", "assembled", "completed", "failed", "archived", "job-started", "job-ended"]


class Moment(Answer):
    """Something that happened. `jobId` and `kind` are of a job; `detail` says how it ended."""

    at: Timestamp
    what: What
    detail: str | None = None
    job_id: str | None = None
    kind: str | None = None


class SignedAnswer(Answer):
    """So many chunks were signed from `at` on, until the next entry."""

    at: Timestamp
    chunks: int


class TimelineAnswer(Answer):
    """What happened to an upload, in order, and how fast its chunks are signed.

    `signed` has at most 120 entries, and none once the manifest is written.
    """

    upload_id: str
    as_of: Timestamp
    expires_at: Timestamp
    moments: list[Moment]
    signed: list[SignedAnswer]


@get(
    "/api/uploads/{upload_id:str}/timeline",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="getTimeline",
    summary="Read what happened when",
    tags=["uploads"],
    responses=documented(UploadNotFoundError),
)
async def read_timeline(
    upload_id: FromPath[str], owner: NamedDependency[Owner], stores: NamedDependency[Stores]
) -> TimelineAnswer:
    """Read when the upload was opened, assembled and ended, and each of its jobs."""
    wanted = known_upload(upload_id, owner)
    async with stores.pool.connection() as conn:
        upload = await uploads.read(conn, wanted, owner)
        found = await jobs.of_upload(conn, wanted)
        signed = await timeline.pace(conn, wanted)
    moments = [*_moments_of(upload), *(each for job in found for each in _moments_of_job(job))]
    return TimelineAnswer(
        upload_id=upload_id,
        as_of=stamp(upload.as_of),
        expires_at=stamp(upload.deadline),
        moments=sorted(moments, key=lambda each: each.at),
        signed=[SignedAnswer(at=stamp(each.at), chunks=each.chunks) for each in signed],
    )


def _moments_of(upload: Upload) -> Iterator[Moment]:
    yield Moment(at=stamp(upload.created_at), what="opened")
    if upload.assembled_at is not None:
        yield Moment(at=stamp(upload.assembled_at), what="assembled")
    if upload.finished_at is not None:
        is_good = upload.phase is Phase.COMPLETED
        what: What = "completed" if is_good else "failed"
        yield Moment(at=stamp(upload.finished_at), what=what, detail=upload.reason)
    if upload.archived_at is not None:
        yield Moment(at=stamp(upload.archived_at), what="archived")


def _moments_of_job(job: Job) -> Iterator[Moment]:
    job_id = ids.encode(ids.JOB, job.id)
    if job.started_at is not None:
        yield Moment(at=stamp(job.started_at), what="job-started", job_id=job_id, kind=job.kind)
    if job.finished_at is not None:
        yield Moment(
            at=stamp(job.finished_at),
            what="job-ended",
            detail=job.state,
            job_id=job_id,
            kind=job.kind,
        )


ROUTES: Final = (read_timeline,)
