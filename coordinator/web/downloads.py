"""What of an upload can be fetched: its object, or the redacted copy, and what jobs made of it."""

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from coordinator.adapters import artifacts as artifact_rows
from coordinator.adapters import audit, jobs, uploads
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.access import Action, Caller
from coordinator.domain.downloads import Fetched, fetched
from coordinator.domain.errors import (
    ClockOffError,
    DownloadBlockedError,
    UploadNotFoundError,
    WrongPhaseError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner
from coordinator.settings import Settings
from coordinator.web.auth import guarded
from coordinator.web.documented import also, documented
from coordinator.web.shapes import Answer, Timestamp, known_upload, stamp

LIFETIME: Final = timedelta(minutes=15)


class DownloadAnswer(Answer):
    """A signed address of the object, for a while; `isRedacted`: of the copy without findings."""

    url: str
    file_name: str
    file_size: int
    is_redacted: bool
    expires_at: Timestamp

    # The URL lets anyone read: it must not get into a log by way of a traceback.
    __repr__ = object.__repr__


class ArtifactAnswer(Answer):
    """An object that a job made, with a signed address for a while."""

    kind: str
    job_id: str
    path: str
    size: int
    sha256: str
    root: str
    media_type: str
    url: str
    expires_at: Timestamp

    __repr__ = object.__repr__


class ArtifactsAnswer(Answer):
    """What the jobs of an upload made, in the order of the jobs."""

    upload_id: str
    artifacts: list[ArtifactAnswer]


@get(
    "/api/uploads/{upload_id:str}/download",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="downloadUpload",
    summary="Download the object",
    tags=["uploads"],
    status_code=307,
    responses={
        **documented(UploadNotFoundError, WrongPhaseError, DownloadBlockedError, ClockOffError),
        200: also(DownloadAnswer, "The address, where JSON was asked for."),
    },
)
async def download(
    *,
    upload_id: FromPath[str],
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    settings: NamedDependency[Settings],
) -> Response[DownloadAnswer | None]:
    """Redirect to a signed GET of the object under its original name.

    With `Accept: application/json` answer the address instead. Refused before COMPLETED. Of an
    upload that asked for a scan with the policy `redact` it is the redacted copy, once there is
    one; with `block` it is refused unless the scan has found nothing.
    """
    wanted = known_upload(upload_id, owner)
    async with stores.pool.connection() as conn:
        upload = await uploads.read(conn, wanted, owner)
        if upload.phase is not Phase.COMPLETED:
            raise WrongPhaseError(phase=upload.phase, event="download", reason=upload.reason)
        found = fetched(upload, await jobs.of_upload(conn, upload.id))
        facts = {"redacted": True} if found.is_redacted else {}
        await audit.of_upload(conn, "upload.downloaded", upload, actor=caller.actor, **facts)
    signed = await stores.bucket.presign_get(
        found.key, file_name=found.file_name, lifetime=_lifetime(settings)
    )
    headers = {"Cache-Control": "no-store"}
    if "application/json" in request.headers.get("accept", ""):
        answer = _answer(found, signed.url, stamp(signed.expires_at))
        return Response(answer, status_code=200, headers=headers)
    return Response(None, status_code=307, headers={**headers, "Location": signed.url})


def _answer(found: Fetched, url: str, expires_at: Timestamp) -> DownloadAnswer:
    return DownloadAnswer(
        url=url,
        file_name=found.file_name,
        file_size=found.size_bytes,
        is_redacted=found.is_redacted,
        expires_at=expires_at,
    )


def _lifetime(settings: Settings) -> timedelta:
    return min(LIFETIME, timedelta(seconds=settings.url_lifetime_seconds))


@get(
    "/api/uploads/{upload_id:str}/artifacts",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="listArtifacts",
    summary="Read what an upload's jobs made",
    tags=["jobs"],
    responses=documented(UploadNotFoundError, ClockOffError),
)
async def artifacts(
    upload_id: FromPath[str],
    caller: NamedDependency[Caller],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    settings: NamedDependency[Settings],
) -> ArtifactsAnswer:
    """List the objects that jobs made, each with a signed address."""
    wanted = known_upload(upload_id, owner)
    async with stores.pool.connection() as conn:
        upload = await uploads.read(conn, wanted, owner)
        found = await artifact_rows.of_upload(conn, wanted)
        if found:
            await audit.of_upload(
                conn, "artifacts.listed", upload, actor=caller.actor, artifacts=len(found)
            )
    answers = []
    for each in found:
        signed = await stores.bucket.presign_get(
            each.object_key,
            file_name=PurePosixPath(each.path).name,
            lifetime=_lifetime(settings),
        )
        answers.append(
            ArtifactAnswer(
                kind=each.kind,
                job_id=ids.encode(ids.JOB, each.job_id),
                path=each.path,
                size=each.size_bytes,
                sha256=each.sha256.hex(),
                root=each.root,
                media_type=each.media_type,
                url=signed.url,
                expires_at=stamp(signed.expires_at),
            )
        )
    return ArtifactsAnswer(upload_id=upload_id, artifacts=answers)


ROUTES: Final = (download, artifacts)
