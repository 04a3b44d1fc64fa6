"""``POST /api/upload/init``: start an upload, or find the one that is open already."""

import hashlib
import re
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import Body, HeaderParameter

from coordinator import tracing
from coordinator.adapters.stores import Stores
from coordinator.domain import names
from coordinator.domain.access import Action, Caller
from coordinator.domain.checksums import parse_declared
from coordinator.domain.errors import (
    ChecksumMismatchError,
    ChunkSizeError,
    FileTooLargeError,
    ForbiddenError,
    IdempotencyConflictError,
    InvalidFieldError,
    MalformedJsonError,
    QuotaExceededError,
    TypeNotAllowedError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.metadata import check_metadata
from coordinator.domain.phases import Phase
from coordinator.domain.pipelines import plan_jobs
from coordinator.domain.plan import plan
from coordinator.operations.open_upload import Wish, open_upload
from coordinator.operations.read_progress import read_progress
from coordinator.settings import Settings
from coordinator.web.auth import UserId, guarded, user_for
from coordinator.web.bodies import check_body
from coordinator.web.documented import also, documented, example
from coordinator.web.limits import Visit
from coordinator.web.shapes import Answer, Strict, Timestamp, stamp, stamp_or_null
from coordinator.web.tokens import minting_for, token_in_answer

_MEDIA_TYPE: Final = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}(;[ -~]{0,64})?"
)
_MAX_METADATA_BYTES: Final = 16 * 1024
_KEY_PATTERN: Final = r"^[\x21-\x7e]{1,255}$"

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        pattern=_KEY_PATTERN,
        description="Repeats of a request with the same key find its upload again, for 24 hours.",
    ),
]


class InitRequest(Strict, kw_only=True):
    """The file that a client wants to upload."""

    file_name: str
    file_size: Annotated[int, msgspec.Meta(ge=0, description="Bytes.")]
    file_type: Annotated[str, msgspec.Meta(max_length=200, description="Media type.")]
    checksum: (
        Annotated[
            str,
            msgspec.Meta(max_length=128, description="`sha256:<64 hex>`, or `sha256-tree:<root>`."),
        ]
        | None
    ) = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    chunk_size: Annotated[int, msgspec.Meta(description="Bytes.")] | None = None
    auto_complete: Annotated[
        bool, msgspec.Meta(description="Complete once every chunk was reported, without asking.")
    ] = False
    user_id: UserId | None = None
    upload_token: Annotated[
        bool, msgspec.Meta(description="Answer a token, by which a browser uploads without a key.")
    ] = False


class InitAnswer(Answer):
    """An open upload; `uploadToken` is null unless it was asked for and the upload is open."""

    upload_id: str
    chunk_size: int
    total_chunks: int
    upload_url: str
    expires_at: Timestamp
    status: Phase
    auto_complete: bool
    resumed: bool
    missing_chunks: list[int]
    upload_token: str | None
    upload_token_expires_at: Timestamp | None

    # The token drives the upload: it must not get into a log by way of a traceback.
    __repr__ = object.__repr__


_EXAMPLE: Final = {
    "fileName": "dataset.jsonl",
    "fileSize": 123456789,
    "fileType": "application/json",
    "checksum": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "metadata": {"purpose": "training", "schema": "auto-detect"},
}


@post(
    "/api/upload/init",
    status_code=201,
    **guarded(Action.OPEN, RouteClass.OPEN),
    before_request=check_body,
    operation_id="initUpload",
    summary="Start or resume an upload",
    tags=["uploads"],
    responses={
        **documented(
            MalformedJsonError,
            InvalidFieldError,
            ChunkSizeError,
            FileTooLargeError,
            ChecksumMismatchError,
            ForbiddenError,
            IdempotencyConflictError,
            QuotaExceededError,
            TypeNotAllowedError,
        ),
        200: also(InitAnswer, "Found again, and resumed."),
    },
)
async def init(
    *,
    data: Annotated[InitRequest, Body(examples=example(_EXAMPLE))],
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    visit: NamedDependency[Visit],
    stores: NamedDependency[Stores],
    settings: NamedDependency[Settings],
    idempotency_key: IdempotencyKey = None,
) -> Response[InitAnswer]:
    """Open an upload: 201.

    The same owner's same file (name, size, checksum), or the same Idempotency-Key, finds the
    upload again: 200 with `resumed: true`.
    """
    plan_jobs(_metadata(data.metadata), stores.pipelines)
    wish = _wish(data, caller, settings, idempotency_key, await request.body())
    await visit.admit_owner(caller, wish.user_id)
    upload, resumed = await open_upload(stores, wish)
    tracing.describe({tracing.UPLOAD_ID: upload.public_id})
    if resumed:
        missing = (await read_progress(stores, upload)).missing
    else:
        missing = list(range(upload.plan.chunk_count))
    token = None
    if data.upload_token:
        minting = minting_for(caller, settings)
        token = await token_in_answer(stores, upload, minting, resumed=resumed)
    answer = InitAnswer(
        upload_id=upload.public_id,
        chunk_size=upload.chunk_bytes,
        total_chunks=upload.plan.chunk_count,
        upload_url="/api/upload/urls",
        expires_at=stamp(upload.deadline),
        status=upload.phase,
        auto_complete=upload.auto_complete,
        resumed=resumed,
        missing_chunks=missing,
        upload_token=token.text if token else None,
        upload_token_expires_at=stamp_or_null(token.expires_at if token else None),
    )
    return Response(answer, status_code=200 if resumed else 201)


def _wish(
    data: InitRequest, caller: Caller, settings: Settings, key: str | None, body: bytes
) -> Wish:
    declared = parse_declared(data.checksum)
    if declared.root is not None and data.chunk_size is None:
        raise InvalidFieldError("chunkSize", "A sha256-tree is of chunks: say their size.")
    chunks = plan(data.file_size, wished=data.chunk_size, smallest=settings.min_chunk_bytes)
    if declared.root is not None and not declared.root.endswith(f"-{chunks.chunk_count}"):
        raise InvalidFieldError("checksum", f"A tree of this file has {chunks.chunk_count} chunks.")
    return Wish(
        tenant=caller.tenant,
        user_id=user_for(caller, data.user_id),
        actor=caller.actor,
        file_name=names.check_name(data.file_name),
        file_type=_file_type(data.file_type),
        plan=chunks,
        checksum=data.checksum,
        declared=declared,
        metadata=data.metadata,
        auto_complete=data.auto_complete,
        prefix=settings.s3_prefix,
        lifetime=timedelta(seconds=settings.session_lifetime_seconds),
        idempotency_key=key,
        body_sha256=hashlib.sha256(body).digest(),
        with_token=data.upload_token,
    )


def _file_type(text: str) -> str:
    """Browsers send an empty type for files they do not know."""
    if not text:
        return "application/octet-stream"
    if not _MEDIA_TYPE.fullmatch(text):
        raise InvalidFieldError("fileType", "Send a media type, such as text/csv.")
    return text


def _metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    encoded = msgspec.json.encode(metadata)
    if len(encoded) > _MAX_METADATA_BYTES:
        raise InvalidFieldError("metadata", f"At most {_MAX_METADATA_BYTES} bytes of JSON.")
    return check_metadata(metadata)


ROUTES: Final = (init,)
