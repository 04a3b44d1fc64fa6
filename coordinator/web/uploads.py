"""``/api/uploads``: the list, and what belongs to one upload."""

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

import manifests
from coordinator.adapters import jobs as job_rows
from coordinator.adapters import signings, uploads
from coordinator.adapters.stores import Stores
from coordinator.domain import cursors
from coordinator.domain.access import Action
from coordinator.domain.downloads import fetched
from coordinator.domain.errors import (
    DownloadBlockedError,
    InvalidFieldError,
    UploadNotFoundError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.names import USER_PATTERN, manifest_key
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.find_uploads import Wanted, find_uploads
from coordinator.operations.finish_upload import document
from coordinator.operations.read_pipeline import read_manifest
from coordinator.web.auth import guarded
from coordinator.web.documented import also, documented
from coordinator.web.shapes import Answer, JobDetail, Timestamp, known_upload, stamp

_PAGE: Final = 100
_LONGEST_SEARCH: Final = 255  # as long as a file's name can be


class UploadSummary(Answer):
    """One upload in a list."""

    upload_id: str
    user_id: str
    file_name: str
    file_size: int
    file_type: str
    status: Phase
    reason: str | None
    created_at: Timestamp
    updated_at: Timestamp


class UploadsAnswer(Answer):
    """A page, newest first; `nextCursor` is null on the last.

    A page of a search may have few uploads, or none, and a cursor: there is more to look through.
    """

    uploads: list[UploadSummary]
    next_cursor: str | None


class FixedDigest(Answer):
    """A chunk's sha256, fixed when it was signed."""

    chunk_index: int
    sha256: str


class OpenManifest(Answer):
    """What is known of an upload that is not completed: the digests fixed so far."""

    upload_id: str
    file_name: str
    file_size: int
    chunk_size: int
    total_chunks: int
    chunks: list[FixedDigest]


class JobsAnswer(Answer):
    """An upload's jobs in their order."""

    upload_id: str
    jobs: list[JobDetail]


@get(
    "/api/uploads",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="listUploads",
    summary="List uploads",
    tags=["uploads"],
    responses=documented(InvalidFieldError),
)
async def list_uploads(
    *,
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    status: Annotated[Phase | None, QueryParameter(description="Only those in this phase.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=_PAGE)] = _PAGE,
    cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
    user_id: Annotated[
        str | None,
        QueryParameter(
            name="userId",
            min_length=1,
            max_length=128,
            pattern=USER_PATTERN,
            description="Only this user's; whoever sees their own alone finds none of another's.",
        ),
    ] = None,
    text: Annotated[
        str | None,
        QueryParameter(
            name="q",
            min_length=1,
            max_length=_LONGEST_SEARCH,
            description="Only those with this in the name of the file or of the user, whatever the "
            "case, or with this id. One page looks through 10,000 uploads.",
        ),
    ] = None,
) -> UploadsAnswer:
    """List the caller's uploads, or with a key of scope `act-as` the tenant's, newest first."""
    if user_id is not None and owner.user not in {None, user_id}:
        return UploadsAnswer(uploads=[], next_cursor=None)
    owner = Owner(owner.tenant, user_id or owner.user)
    after = None if cursor is None else cursors.decode(cursor)
    wanted = Wanted(owner=owner, phase=status, text=text)
    page, end = await find_uploads(stores, wanted, after=after, limit=limit)
    return UploadsAnswer(
        uploads=[_summary(row) for row in page],
        next_cursor=None if end is None else cursors.encode(*end),
    )


def _summary(row: Upload) -> UploadSummary:
    return UploadSummary(
        upload_id=row.public_id,
        user_id=row.user_id,
        file_name=row.file_name,
        file_size=row.size_bytes,
        file_type=row.file_type,
        status=row.phase,
        reason=row.reason,
        created_at=stamp(row.created_at),
        updated_at=stamp(row.updated_at),
    )


@get(
    "/api/uploads/{upload_id:str}/manifest",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="getManifest",
    summary="Read the manifest",
    tags=["uploads"],
    responses={
        **documented(InvalidFieldError, UploadNotFoundError, DownloadBlockedError),
        200: also(dict[str, Any], "The manifest, or what is known of it."),
    },
)
async def manifest(
    *,
    upload_id: FromPath[str],
    request: Request[Any, Any, Any],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    of: Annotated[
        Literal["upload", "download"],
        QueryParameter(description="`download`: of what a download gives, perhaps redacted."),
    ] = "upload",
) -> Response[bytes]:
    """Read the manifest (format: `manifests/FORMAT.md`).

    With `Accept: text/plain` as lines for `sha256sum -c`. Of an upload that is not completed: the
    digests fixed so far.
    """
    wanted = known_upload(upload_id, owner)
    async with stores.pool.connection() as conn:
        upload = await uploads.read(conn, wanted, owner)
        own_jobs = await job_rows.of_upload(conn, wanted) if of == "download" else []
    as_text = request.accept.best_match(["application/json", "text/plain"]) == "text/plain"
    copy = fetched(upload, own_jobs) if upload.phase is Phase.COMPLETED else None
    if copy is not None and copy.is_redacted:
        body = await _manifest_beside(stores, copy.key, as_text=as_text)
    else:
        body = await _manifest_body(stores, upload, as_text=as_text)
    media_type = "text/plain" if as_text else "application/json"
    return Response(body, media_type=media_type)


async def _manifest_beside(stores: Stores, key: str, *, as_text: bool) -> bytes:
    """Read the manifest that lies beside an artifact."""
    body = await stores.bucket.read(manifest_key(key), first=0, length=manifests.MAX_MANIFEST_BYTES)
    return manifests.sha256sum_lines(manifests.parse(body)).encode() if as_text else body


async def _manifest_body(stores: Stores, upload: Upload, *, as_text: bool) -> bytes:
    kept = await read_manifest(stores, upload)
    if kept is not None:
        whole = document(upload, kept)
        return manifests.sha256sum_lines(whole).encode() if as_text else manifests.canonical(whole)
    async with stores.pool.connection() as conn:
        digests = await signings.read_digests(conn, upload.id)
    if as_text:
        return manifests.partial_sha256sum_lines(
            upload.file_name, digests, file_size=upload.size_bytes, chunk_size=upload.chunk_bytes
        ).encode()
    return msgspec.json.encode(
        OpenManifest(
            upload_id=upload.public_id,
            file_name=upload.file_name,
            file_size=upload.size_bytes,
            chunk_size=upload.chunk_bytes,
            total_chunks=upload.plan.chunk_count,
            chunks=[
                FixedDigest(chunk_index=index, sha256=digests[index].hex())
                for index in sorted(digests)
            ],
        )
    )


@get(
    "/api/uploads/{upload_id:str}/jobs",
    **guarded(Action.READ, RouteClass.READ),
    operation_id="listJobs",
    summary="Read an upload's jobs",
    tags=["jobs"],
    responses=documented(UploadNotFoundError),
)
async def jobs(
    upload_id: FromPath[str],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> JobsAnswer:
    """Read the jobs with their results; there are none before COMPLETED."""
    wanted = known_upload(upload_id, owner)
    async with stores.pool.connection() as conn:
        await uploads.read(conn, wanted, owner)
        found = await job_rows.of_upload(conn, wanted)
    return JobsAnswer(upload_id=upload_id, jobs=[JobDetail.of(job) for job in found])


ROUTES: Final = (list_uploads, manifest, jobs)
