"""``POST /api/upload/complete`` and ``DELETE /api/uploads/{uploadId}``: how uploads end."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Annotated, Any, Final

import msgspec
import structlog
from litestar import Response, delete, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Body, FromPath

import manifests
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action, Caller
from coordinator.domain.checksums import parse_declared
from coordinator.domain.errors import (
    ChecksumConflictError,
    ChecksumMismatchError,
    HeldError,
    InvalidFieldError,
    KeyTakenError,
    MalformedJsonError,
    PartsMissingError,
    TypeNotAllowedError,
    UploadExpiredError,
    UploadNotFoundError,
    WrongPhaseError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.complete_upload import abort_upload, complete_upload
from coordinator.operations.read_pipeline import read_manifest, read_pipeline
from coordinator.web.auth import guarded
from coordinator.web.bodies import check_body
from coordinator.web.documented import UPLOAD_ID, also, documented, example
from coordinator.web.shapes import Answer, PipelineAnswer, Strict, known_upload
from manifests import ManifestError

_log = structlog.get_logger(__name__)

WAIT_SECONDS: Final = 25.0  # longer, and the answer is 202: proxies give up after 30 s or 60 s


class CompleteRequest(Strict):
    """The upload to complete, with what it must turn out to be."""

    upload_id: str
    checksum: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    manifest: dict[str, Any] | None = None


class ManifestAnswer(Answer):
    """What the object was proven to be."""

    root: str
    chunks: int
    checksum: str


class CompleteAnswer(Answer):
    """A completed upload. `filePath` is the object's key, `location` its address."""

    upload_id: str
    status: str
    file_path: str
    location: str
    message: str
    manifest: ManifestAnswer
    ai_pipeline: PipelineAnswer


class AssemblingAnswer(Answer):
    """The upload is being driven to its end; ask `statusUrl`."""

    upload_id: str
    status: str
    status_url: str


_EXAMPLE: Final = {"uploadId": UPLOAD_ID}


@post(
    "/api/upload/complete",
    status_code=200,
    **guarded(Action.SEND, RouteClass.COMPLETE),
    before_request=check_body,
    operation_id="completeUpload",
    summary="Complete an upload",
    tags=["uploads"],
    responses={
        **documented(
            MalformedJsonError,
            InvalidFieldError,
            UploadNotFoundError,
            WrongPhaseError,
            PartsMissingError,
            KeyTakenError,
            ChecksumConflictError,
            ChecksumMismatchError,
            TypeNotAllowedError,
            UploadExpiredError,
        ),
        202: also(AssemblingAnswer, "Under way."),
    },
)
async def complete(
    data: Annotated[CompleteRequest, Body(examples=example(_EXAMPLE))],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    state: State,
) -> Response[CompleteAnswer | AssemblingAnswer]:
    """Assemble the object, prove it, and start its jobs, each exactly once.

    Repeating is harmless and answers the same. 202: it takes longer, or a worker is reading the
    object to prove the whole file's sha256.
    """
    work = complete_upload(
        stores,
        known_upload(data.upload_id, owner),
        owner,
        checksum=data.checksum,
        declared=parse_declared(data.checksum),
        manifest=_manifest(data.manifest),
        actor=caller.actor,
    )
    upload = await _outlast(state.background, work)
    if upload is None or upload.phase is not Phase.COMPLETED:
        return Response(_assembling(data.upload_id), status_code=202)
    return Response(await _completed(stores, upload), status_code=200)


@delete(
    "/api/uploads/{upload_id:str}",
    status_code=202,
    **guarded(Action.ABORT, RouteClass.COMPLETE),
    operation_id="abortUpload",
    summary="Abort an upload",
    tags=["uploads"],
    responses={
        **documented(UploadNotFoundError, WrongPhaseError, HeldError),
        204: also(None, "Done."),
    },
)
async def abort(
    upload_id: FromPath[str],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    state: State,
) -> Response[AssemblingAnswer | None]:
    """Abort: 204 when done, 202 while somebody is completing it.

    409 once it is COMPLETED, and while it is on hold.
    """
    work = abort_upload(stores, known_upload(upload_id, owner), owner, actor=caller.actor)
    upload = await _outlast(state.background, work)
    if upload is not None and upload.phase is Phase.FAILED:
        return Response(None, status_code=204)
    if upload is not None and upload.phase is Phase.COMPLETED:
        raise WrongPhaseError(phase=upload.phase, event="abort")
    return Response(_assembling(upload_id), status_code=202)


async def _outlast(
    background: set[asyncio.Task[Upload]], work: Coroutine[Any, Any, Upload]
) -> Upload | None:
    """Wait for ``work`` for a while; it goes on afterwards, and if the client hangs up, too."""
    task = asyncio.create_task(work)
    background.add(task)
    task.add_done_callback(partial(_settled, background))
    done, _pending = await asyncio.wait({task}, timeout=WAIT_SECONDS)
    return task.result() if done else None


def _settled(background: set[asyncio.Task[Upload]], task: asyncio.Task[Upload]) -> None:
    """Note how work ended that nobody may be waiting for any more."""
    background.discard(task)
    if not task.cancelled() and (exc := task.exception()) is not None:
        _log.info("ended", error=type(exc).__name__)


def _manifest(members: dict[str, Any] | None) -> manifests.Manifest | None:
    if members is None:
        return None
    try:
        return manifests.parse(msgspec.json.encode(members))
    except ManifestError as exc:
        field = "manifest" + exc.pointer.replace("/", ".")
        raise InvalidFieldError(field, exc.detail, manifest_code=exc.code) from exc


def _assembling(upload_id: str) -> AssemblingAnswer:
    return AssemblingAnswer(
        upload_id=upload_id, status="assembling", status_url=f"/api/upload/status/{upload_id}"
    )


async def _completed(stores: Stores, upload: Upload) -> CompleteAnswer:
    kept = await read_manifest(stores, upload)
    if kept is None:  # COMPLETED has a manifest, until it is erased
        raise UploadNotFoundError
    checksum = f"sha256:{kept.sha256.hex()}" if kept.sha256 else f"sha256-tree:{kept.root}"
    return CompleteAnswer(
        upload_id=upload.public_id,
        status="completed",
        file_path=upload.object_key,
        location=f"s3://{upload.bucket}/{upload.object_key}",
        message="Upload completed successfully, AI processing initiated",
        manifest=ManifestAnswer(root=kept.root, chunks=upload.plan.chunk_count, checksum=checksum),
        ai_pipeline=PipelineAnswer.of(await read_pipeline(stores, upload)),
    )


ROUTES: Final = (complete, abort)
