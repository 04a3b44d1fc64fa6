"""``/api/jobs/{jobId}/retry``: run a failed job again."""

from typing import Final

import structlog
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath

from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.access import Action, Caller
from coordinator.domain.errors import JobNotFailedError, JobNotFoundError
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.retry_job import retry_job
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.shapes import JobDetail


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
    """Queue the job for one more attempt; attempts go on being counted."""
    known = ids.decode(ids.JOB, job_id)
    if known is None:
        raise JobNotFoundError
    job = await retry_job(stores, known, owner, actor=caller.actor)
    structlog.contextvars.bind_contextvars(upload_id=ids.encode(ids.UPLOAD, job.upload_id))
    return JobDetail.of(job)


ROUTES: Final = (retry,)
