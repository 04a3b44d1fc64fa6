"""``/api/jobs`` and an upload's jobs: look at them, add one, run one again, cancel one."""

from typing import Annotated, Any, Final

import msgspec
import structlog
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath, QueryParameter

from coordinator.adapters import job_listing, jobs
from coordinator.adapters.stores import Stores
from coordinator.domain import cursors, ids
from coordinator.domain.access import Action, Caller
from coordinator.domain.errors import (
    InvalidFieldError,
    JobNotFailedError,
    JobNotFoundError,
    JobOverError,
    MalformedJsonError,
    UploadNotFoundError,
    WrongPhaseError,
)
from coordinator.domain.job_parameters import parse, stored
from coordinator.domain.jobs import State
from coordinator.domain.kinds import Kind
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.add_job import add_job
from coordinator.operations.steer_job import cancel_job, retry_job
from coordinator.web.auth import guarded
from coordinator.web.bodies import check_body
from coordinator.web.documented import also, documented, example
from coordinator.web.shapes import Answer, JobDetail, Strict, known_upload

_PAGE: Final = 100


class JobRequest(Strict):
    """The kind to run, and what it is told; docs/jobs.md says what each can be."""

    kind: Kind
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class JobsPage(Answer):
    """A page of jobs, newest first; `nextCursor` is null on the last."""

    jobs: list[JobDetail]
    next_cursor: str | None


_EXAMPLE: Final = {"kind": "scan_pii", "parameters": {"policy": "report", "kinds": ["email"]}}


def _known_job(text: str) -> Any:
    known = ids.decode(ids.JOB, text)
    if known is None:
        raise JobNotFoundError
    return known


@get(
    "/api/jobs",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="listAllJobs",
    summary="List jobs over all uploads",
    tags=["jobs"],
    responses=documented(InvalidFieldError, UploadNotFoundError),
)
async def list_jobs(
    *,
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    kind: Annotated[Kind | None, QueryParameter(description="Only this kind.")] = None,
    status: Annotated[
        State | None, QueryParameter(description="`failed`: those that wait for an operator.")
    ] = None,
    upload_id: Annotated[str | None, QueryParameter(name="uploadId", max_length=64)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> JobsPage:
    """List the jobs of the caller's uploads, or of the tenant's."""
    wanted = job_listing.Wanted(
        kind, status, None if upload_id is None else known_upload(upload_id, owner)
    )
    after = None if cursor is None else cursors.decode(cursor)
    async with stores.pool.connection() as conn:
        found = await job_listing.newest(conn, owner, wanted, after=after, limit=limit + 1)
    page = found[:limit]
    more = len(found) > limit
    return JobsPage(
        jobs=[JobDetail.of(job) for job in page],
        next_cursor=cursors.encode(page[-1].created_at, page[-1].id) if more else None,
    )


@get(
    "/api/jobs/{job_id:str}",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="getJob",
    summary="Read a job",
    tags=["jobs"],
    responses=documented(JobNotFoundError),
)
async def get_job(
    job_id: FromPath[str],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> JobDetail:
    """Read one job, with its progress, its times and what it found."""
    known = _known_job(job_id)
    async with stores.pool.connection() as conn:
        job = await jobs.read_of(conn, known, owner)
    if job is None:
        raise JobNotFoundError
    return JobDetail.of(job)


@post(
    "/api/uploads/{upload_id:str}/jobs",
    **guarded(Action.RETRY, RouteClass.ADMIN),
    before_request=check_body,
    operation_id="addJob",
    summary="Run a kind of job, told otherwise",
    tags=["operators"],
    status_code=202,
    responses={
        **documented(MalformedJsonError, InvalidFieldError, UploadNotFoundError, WrongPhaseError),
        200: also(JobDetail, "There is such a job already."),
    },
)
async def add(
    upload_id: FromPath[str],
    data: Annotated[JobRequest, Body(examples=example(_EXAMPLE))],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> Response[JobDetail]:
    """Add a job to a completed upload. The same kind told the same is the same job, once for ever.

    It waits for what its kind needs in the upload's pipeline, and for the scan for personal data.
    """
    known = known_upload(upload_id, owner)
    parameters = stored(parse(data.kind, data.parameters, field="parameters"))
    job, is_new = await add_job(stores, known, owner, data.kind, parameters, actor=caller.actor)
    return Response(JobDetail.of(job), status_code=202 if is_new else 200)


@post(
    "/api/jobs/{job_id:str}/retry",
    **guarded(Action.RETRY, RouteClass.ADMIN),
    operation_id="retryJob",
    summary="Run a failed job again",
    tags=["operators"],
    status_code=202,
    responses=documented(JobNotFoundError, JobNotFailedError),
)
async def retry(
    job_id: FromPath[str],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> JobDetail:
    """Queue a failed or cancelled job for one more attempt; attempts go on being counted.

    Jobs that were skipped because it failed wait for it again.
    """
    job = await retry_job(stores, _known_job(job_id), owner, actor=caller.actor)
    structlog.contextvars.bind_contextvars(upload_id=ids.encode(ids.UPLOAD, job.upload_id))
    return JobDetail.of(job)


@post(
    "/api/jobs/{job_id:str}/cancel",
    **guarded(Action.RETRY, RouteClass.ADMIN),
    operation_id="cancelJob",
    summary="Cancel a job",
    tags=["operators"],
    status_code=202,
    responses=documented(JobNotFoundError, JobOverError),
)
async def cancel(
    job_id: FromPath[str],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> JobDetail:
    """End a job that has not begun; one that runs stops within seconds, and is running until then.

    Jobs that need it are skipped.
    """
    job = await cancel_job(stores, _known_job(job_id), owner, actor=caller.actor)
    structlog.contextvars.bind_contextvars(upload_id=ids.encode(ids.UPLOAD, job.upload_id))
    return JobDetail.of(job)


ROUTES: Final = (list_jobs, get_job, add, retry, cancel)
