"""``POST /api/upload/urls``: part URLs for chunks whose sha256 is known."""

from datetime import timedelta
from typing import Annotated, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import Body

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action
from coordinator.domain.checksums import parse_digest
from coordinator.domain.errors import (
    ClockOffError,
    DigestConflictError,
    InvalidFieldError,
    MalformedJsonError,
    UploadExpiredError,
    UploadNotFoundError,
    WrongPhaseError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.sign_chunks import ChunkToSign, SignedBatch, sign_chunks
from coordinator.settings import Settings
from coordinator.web.auth import guarded
from coordinator.web.bodies import check_body
from coordinator.web.documented import UPLOAD_ID, documented, example
from coordinator.web.limits import Visit
from coordinator.web.shapes import Answer, Strict, Timestamp, known_upload, stamp

MAX_BATCH: Final = 1_000


class ChunkDigest(Strict):
    """A chunk and the sha256 that its bytes have."""

    chunk_index: Annotated[int, msgspec.Meta(ge=0, le=9_999)]
    sha256: Annotated[str, msgspec.Meta(description="64 lower-case hex digits.")]


class UrlsRequest(Strict):
    """Chunks to sign; `force` signs those too that were reported as uploaded."""

    upload_id: str
    chunks: Annotated[list[ChunkDigest], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]
    force: bool = False


class ChunkUrl(Answer, omit_defaults=True):
    """Where a chunk's bytes go: PUT them with exactly these headers.

    Of a chunk that was reported as uploaded, only `status`: nothing needs to be sent.
    """

    chunk_index: int
    method: str | None = None
    url: str | None = None
    headers: dict[str, str] | None = None
    size: int | None = None
    url_expires_at: Timestamp | None = None
    status: str | None = None


class UrlsAnswer(Answer):
    """One entry a chunk, in the request's order."""

    upload_id: str
    chunks: list[ChunkUrl]


_EXAMPLE: Final = {
    "uploadId": UPLOAD_ID,
    "chunks": [
        {
            "chunkIndex": 0,
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }
    ],
}


@post(
    "/api/upload/urls",
    status_code=200,
    **guarded(Action.SEND, RouteClass.SIGN),
    before_request=check_body,
    operation_id="signChunks",
    summary="Get part URLs",
    tags=["uploads"],
    responses=documented(
        MalformedJsonError,
        InvalidFieldError,
        UploadNotFoundError,
        WrongPhaseError,
        DigestConflictError,
        UploadExpiredError,
        ClockOffError,
    ),
)
async def urls(
    data: Annotated[UrlsRequest, Body(examples=example(_EXAMPLE))],
    owner: NamedDependency[Owner],
    visit: NamedDependency[Visit],
    stores: NamedDependency[Stores],
    settings: NamedDependency[Settings],
) -> UrlsAnswer:
    """Sign up to 1,000 chunks.

    The first sha256 of a chunk is final: S3 refuses other bytes, and another digest later is 409
    `digest-conflict`. Signing the same digest again is harmless.
    """
    upload_id, chunks = known_upload(data.upload_id, owner), _to_sign(data.chunks)
    await visit.admit_chunks(owner.tenant, len(chunks))
    batch = await sign_chunks(
        stores,
        upload_id,
        owner,
        chunks,
        force=data.force,
        lifetime=timedelta(seconds=settings.url_lifetime_seconds),
    )
    return UrlsAnswer(upload_id=data.upload_id, chunks=_signed(batch))


def _to_sign(chunks: list[ChunkDigest]) -> list[ChunkToSign]:
    asked = [
        ChunkToSign(chunk.chunk_index, parse_digest(chunk.sha256, field=f"chunks[{at}].sha256"))
        for at, chunk in enumerate(chunks)
    ]
    if len({chunk.index for chunk in asked}) != len(asked):
        raise InvalidFieldError("chunks", "A chunk stands twice in the list.")
    return asked


def _signed(batch: SignedBatch) -> list[ChunkUrl]:
    expires_at = stamp(batch.expires_at)
    return [
        ChunkUrl(chunk_index=chunk.index, status="already_uploaded")
        if chunk.part is None
        else ChunkUrl(
            chunk_index=chunk.index,
            method="PUT",
            url=chunk.part.url,
            headers=chunk.part.headers,
            size=chunk.size_bytes,
            url_expires_at=expires_at,
        )
        for chunk in batch.chunks
    ]


ROUTES: Final = (urls,)
