"""What the service answers, as values.

Rule: members that are not named here are ignored, because the API only grows.
"""

from datetime import datetime
from typing import Any, Final

import msgspec


class Opened(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to opening an upload, or to finding it again."""

    upload_id: str
    chunk_size: int
    total_chunks: int
    status: str = "INIT"
    resumed: bool = False


class UploadToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A credential for one upload, for whoever sends its file."""

    upload_id: str
    token: str = msgspec.field(name="uploadToken")
    expires_at: datetime = msgspec.field(name="uploadTokenExpiresAt")

    # It drives the upload: it must not get into a log by way of a traceback.
    __repr__ = object.__repr__


class HandedOut(UploadToken, frozen=True, kw_only=True, rename="camel"):
    """An upload that somebody else is to send, and the token by which they do."""

    chunk_size: int
    total_chunks: int

    __repr__ = object.__repr__


class SignedChunk(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where one chunk goes; without ``url`` the service has it already."""

    chunk_index: int
    url: str | None = None
    headers: dict[str, str] = {}
    size: int | None = None
    url_expires_at: datetime | None = None
    status: str | None = None

    # The URL lets anyone write: it must not get into a log by way of a traceback.
    __repr__ = object.__repr__


class SignedChunks(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to one batch of signing."""

    chunks: list[SignedChunk]


class Job(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One AI job of a completed upload."""

    job_id: str
    kind: str
    status: str


_UNDER_WAY: Final = frozenset({"waiting", "queued", "running"})


class Pipeline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The AI jobs of an upload and where they stand together."""

    status: str = "none"
    estimated_time: Any = None
    jobs: list[Job] = []

    @property
    def has_ended(self) -> bool:
        """No job will do anything more. One that failed ends the pipeline, but not its siblings."""
        is_over = self.status in {"succeeded", "failed", "cancelled", "none"}
        return is_over and not any(job.status in _UNDER_WAY for job in self.jobs)


class Progressed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many chunks the service knows of."""

    uploaded: int = 0
    total: int = 0
    percentage: float = 0.0


class Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that the service knows of an upload."""

    upload_id: str
    status: str
    file_name: str
    file_size: int
    chunk_size: int
    total_chunks: int
    file_type: str | None = None
    user_id: str | None = None
    uploaded_chunks: int = 0
    missing_chunks: list[int] = []
    failed_chunks: list[int] = []
    progress: Progressed = Progressed()
    reason: str | None = None
    checksum: str | None = None
    metadata: dict[str, Any] = {}
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    file_path: str | None = None
    ai_pipeline: Pipeline | None = None


class Listed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of a list of uploads."""

    upload_id: str
    status: str
    file_name: str
    file_size: int
    file_type: str | None = None
    user_id: str | None = None
    reason: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One page of a list; ``next_cursor`` asks for the one after it."""

    uploads: list[Listed]
    next_cursor: str | None = None


class Proof(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The root that client, service and S3 agree on."""

    root: str
    chunks: int
    checksum: str


class Completed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to completing, once S3 has been proven to hold the file."""

    upload_id: str
    status: str
    file_path: str
    location: str
    message: str
    manifest: Proof
    ai_pipeline: Pipeline = Pipeline()


class Assembling(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to completing while S3 or a worker is still at it."""

    upload_id: str
    status: str
    status_url: str | None = None


class Signed(msgspec.Struct, frozen=True, rename="camel"):
    """A presigned address of an object."""

    url: str

    # Whoever has it can read the object.
    __repr__ = object.__repr__


class FixedChunk(msgspec.Struct, frozen=True, rename="camel"):
    """A digest that was signed and is therefore final."""

    chunk_index: int
    sha256: str


class OpenManifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The manifest of an upload that is still open: the digests fixed so far."""

    file_size: int
    chunk_size: int
    chunks: list[FixedChunk]
