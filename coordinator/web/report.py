"""``POST /api/upload/chunk``: report chunks as uploaded or failed. Optional for clients."""

from typing import Annotated, Any, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import Body
from msgspec import UNSET, UnsetType

from coordinator.adapters.ledger import Report, Reported
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action
from coordinator.domain.errors import (
    BytesNotAcceptedError,
    InvalidFieldError,
    MalformedJsonError,
    UploadNotFoundError,
    WrongPhaseError,
)
from coordinator.domain.limits import RouteClass
from coordinator.domain.uploads import Owner
from coordinator.operations.record_chunks import record_chunks
from coordinator.web.auth import guarded
from coordinator.web.bodies import check_body
from coordinator.web.documented import UPLOAD_ID, documented, example
from coordinator.web.shapes import Answer, ProgressAnswer, Strict, known_upload
from coordinator.web.sign import MAX_BATCH

ChunkIndex = Annotated[int, msgspec.Meta(ge=0, le=9_999)]
Etag = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[\x21-\x7e]*$(?!\n)")]


class ChunkError(Strict):
    """What the client saw when a chunk failed."""

    status: Annotated[int, msgspec.Meta(ge=0, le=999)] | None = None
    code: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class ReportedChunk(Strict):
    """One of many chunks."""

    chunk_index: ChunkIndex
    etag: Etag | None = None


class ChunkRequest(Strict):
    """One chunk (`chunkIndex`), or many (`chunks`)."""

    upload_id: str
    chunk_index: ChunkIndex | UnsetType = UNSET
    etag: Etag | None = None
    total_chunks: int | None = None
    error: ChunkError | None = None
    chunks: (
        Annotated[list[ReportedChunk], msgspec.Meta(min_length=1, max_length=MAX_BATCH)] | UnsetType
    ) = UNSET
    data: Any = UNSET


class ChunkAnswer(Answer, omit_defaults=True):
    """What became of one chunk."""

    chunk_index: int
    status: str
    progress: ProgressAnswer | None = None
    message: str | None = None


class ChunkState(Answer):
    """What became of one of many."""

    chunk_index: int
    status: str


class ChunksAnswer(Answer):
    """What became of many chunks, in the request's order."""

    chunks: list[ChunkState]
    progress: ProgressAnswer


_EXAMPLE: Final = {
    "uploadId": UPLOAD_ID,
    "chunkIndex": 0,
    "etag": "5d41402abc4b2a76b9719d911017c592",
    "totalChunks": 15,
}


@post(
    "/api/upload/chunk",
    status_code=200,
    **guarded(Action.SEND, RouteClass.REPORT),
    before_request=check_body,
    operation_id="reportChunk",
    summary="Report chunks",
    tags=["uploads"],
    responses=documented(
        MalformedJsonError,
        InvalidFieldError,
        BytesNotAcceptedError,
        UploadNotFoundError,
        WrongPhaseError,
    ),
)
async def chunk(
    data: Annotated[ChunkRequest, Body(examples=example(_EXAMPLE))],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
) -> ChunkAnswer | ChunksAnswer:
    """Report one chunk or many, or with `error` that one failed.

    It feeds the progress that others see; completion asks S3 and not the client. Bytes are
    refused: they go to S3.
    """
    if data.data is not UNSET:
        raise BytesNotAcceptedError
    reports = _reports(data)
    reported = await record_chunks(
        stores, known_upload(data.upload_id, owner), owner, reports, total=data.total_chunks
    )
    return _answer(data, reports, reported)


def _reports(data: ChunkRequest) -> list[Report]:
    if data.chunks is UNSET:
        if data.chunk_index is UNSET:
            raise InvalidFieldError("chunkIndex", "Say which chunk, or which `chunks`.")
        return [Report(data.chunk_index, data.etag, failed=data.error is not None)]
    if data.chunk_index is not UNSET or data.error is not None or data.etag is not None:
        raise InvalidFieldError("chunks", "Report one chunk or many, not both.")
    reports = [Report(each.chunk_index, each.etag) for each in data.chunks]
    if len({each.index for each in reports}) != len(reports):
        raise InvalidFieldError("chunks", "A chunk stands twice in the list.")
    return reports


def _answer(
    data: ChunkRequest, reports: list[Report], reported: Reported
) -> ChunkAnswer | ChunksAnswer:
    progress = ProgressAnswer.of(reported.uploaded, reported.total)
    if data.chunks is not UNSET:
        states = [
            ChunkState(chunk_index=report.index, status=word)
            for report, word in zip(reports, reported.words, strict=True)
        ]
        return ChunksAnswer(chunks=states, progress=progress)
    word = reported.words[0]
    if word == "already_uploaded":
        message = "Chunk already uploaded successfully"
        return ChunkAnswer(chunk_index=reports[0].index, status=word, message=message)
    return ChunkAnswer(chunk_index=reports[0].index, status=word, progress=progress)


ROUTES: Final = (chunk,)
