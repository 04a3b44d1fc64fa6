"""``POST /api/jobs/{jobId}/callback``: a trainer tells where the training stands."""

from typing import Annotated, Final, Literal

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import Body, FromPath

from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.access import Action, Caller
from coordinator.domain.errors import InvalidFieldError, JobNotFoundError, MalformedJsonError
from coordinator.domain.limits import RouteClass
from coordinator.domain.trainings import Standing, TrainingStatus, shortened
from coordinator.operations.note_training import note_training
from coordinator.web.auth import guarded
from coordinator.web.bodies import check_body
from coordinator.web.documented import documented, example
from coordinator.web.shapes import Answer, Strict


class CallbackRequest(Strict):
    """Where the training stands: `model` is what came of it, `detail` a sentence for people."""

    status: Literal["running", "succeeded", "failed", "cancelled"]
    model: Annotated[str, msgspec.Meta(max_length=1_000)] | None = None
    detail: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None


class CallbackAnswer(Answer):
    """Where it stands now: the first final status is the last."""

    job_id: str
    external_status: TrainingStatus


_EXAMPLE: Final = {"status": "succeeded", "model": "s3://models/acme/2026-07-14/model.tar.gz"}


@post(
    "/api/jobs/{job_id:str}/callback",
    status_code=200,
    **guarded(Action.CALL_BACK, RouteClass.REPORT),
    before_request=check_body,
    operation_id="callBack",
    summary="Say where a training stands",
    tags=["jobs"],
    responses=documented(MalformedJsonError, InvalidFieldError, JobNotFoundError),
)
async def call_back(
    job_id: FromPath[str],
    data: Annotated[CallbackRequest, Body(examples=example(_EXAMPLE))],
    caller: NamedDependency[Caller],
    stores: NamedDependency[Stores],
) -> CallbackAnswer:
    """Report from the trainer that the job was handed to, with the token that came with it.

    Any number of times: what was said before changes nothing, and a final status stays.
    """
    known = ids.decode(ids.JOB, job_id)
    if known is None or known != caller.job_id:
        raise JobNotFoundError
    told = Standing(
        external_id=None,
        status=TrainingStatus(data.status),
        model=data.model,
        detail=shortened(data.detail),
    )
    status = await note_training(stores, known, told, actor=caller.actor)
    return CallbackAnswer(job_id=job_id, external_status=status)


ROUTES: Final = (call_back,)
