"""``GET /api/upload/status/{uploadId}``: everything about one upload."""

from typing import Annotated, Any, Final

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from coordinator.adapters import uploads
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Action
from coordinator.domain.errors import InvalidFieldError, UploadNotFoundError
from coordinator.domain.limits import RouteClass
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.read_pipeline import Pipeline, read_pipeline
from coordinator.operations.read_progress import Progress, read_progress
from coordinator.web.auth import guarded
from coordinator.web.documented import documented
from coordinator.web.shapes import (
    Answer,
    PipelineAnswer,
    ProgressAnswer,
    Timestamp,
    known_upload,
    stamp,
)


class StatusAnswer(Answer):
    """One upload. Lists of chunks are complete.

    `filePath` is null before COMPLETED; `detectedType` is what the object's first bytes say, null
    until they were read.
    """

    upload_id: str
    user_id: str
    file_name: str
    file_size: int
    file_type: str
    detected_type: str | None
    chunk_size: int
    total_chunks: int
    uploaded_chunks: int
    missing_chunks: list[int]
    failed_chunks: list[int]
    progress: ProgressAnswer
    status: Phase
    reason: str | None
    checksum: str | None
    metadata: dict[str, Any]
    auto_complete: bool
    on_hold: bool
    created_at: Timestamp
    updated_at: Timestamp
    expires_at: Timestamp
    file_path: str | None
    ai_pipeline: PipelineAnswer


@get(
    "/api/upload/status/{upload_id:str}",
    **guarded(Action.WATCH, RouteClass.READ),
    operation_id="getStatus",
    summary="Read an upload's status",
    tags=["uploads"],
    responses=documented(UploadNotFoundError, InvalidFieldError),
)
async def status(
    *,
    upload_id: FromPath[str],
    owner: NamedDependency[Owner],
    stores: NamedDependency[Stores],
    verify: Annotated[
        bool, QueryParameter(description="Ask S3 instead of the ledger, and repair the ledger.")
    ] = False,
) -> StatusAnswer:
    """Read phase, progress as reported (`verify=true`: as S3 has it) and jobs."""
    wanted = known_upload(upload_id, owner)
    async with stores.pool.connection() as conn:
        upload = await uploads.read(conn, wanted, owner)
    progress = await read_progress(stores, upload, verify=verify)
    return _answer(upload, progress, await read_pipeline(stores, upload))


def _answer(upload: Upload, progress: Progress, pipeline: Pipeline) -> StatusAnswer:
    return StatusAnswer(
        upload_id=upload.public_id,
        user_id=upload.user_id,
        file_name=upload.file_name,
        file_size=upload.size_bytes,
        file_type=upload.file_type,
        detected_type=upload.detected_type,
        chunk_size=upload.chunk_bytes,
        total_chunks=progress.total,
        uploaded_chunks=len(progress.uploaded),
        missing_chunks=progress.missing,
        failed_chunks=sorted(progress.failed),
        progress=ProgressAnswer.of_progress(progress),
        status=upload.phase,
        reason=upload.reason,
        checksum=upload.checksum or upload.late_checksum,
        metadata=upload.metadata,
        auto_complete=upload.auto_complete,
        on_hold=upload.hold is not None,
        created_at=stamp(upload.created_at),
        updated_at=stamp(upload.updated_at),
        expires_at=stamp(upload.deadline),
        file_path=upload.object_key if upload.phase is Phase.COMPLETED else None,
        ai_pipeline=PipelineAnswer.of(pipeline),
    )


ROUTES: Final = (status,)
