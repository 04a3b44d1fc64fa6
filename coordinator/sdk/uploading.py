"""One upload from path to proof: open or find it, send what is missing, complete it."""

import mimetypes
import os
import secrets
import threading
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from coordinator.sdk.answers import Completed, Opened
from coordinator.sdk.errors import FileChangedError, UnexpectedAnswerError, UploadFailedError
from coordinator.sdk.finishing import complete
from coordinator.sdk.progress import Listener
from coordinator.sdk.resume import (
    MAX_ATTEMPTS,
    Action,
    decide,
    fixed_digests,
    idempotency_key,
    wish,
)
from coordinator.sdk.sending import Job, Sending
from coordinator.sdk.service import Service
from coordinator.sdk.source import LocalFile
from coordinator.sdk.store import Store
from manifests import CHECKSUM_PREFIX, root

# What the mimetypes module of Python 3.11 does not know.
_TYPES: Final[Mapping[str, str]] = {
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".tsv": "text/tab-separated-values",
}
_UNKNOWN_TYPE: Final = "application/octet-stream"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller asked for; ``None`` leaves it to us or to the service."""

    path: str | os.PathLike[str]
    purpose: str | None = None
    metadata: Mapping[str, Any] | None = None
    file_type: str | None = None
    file_name: str | None = None
    chunk_size: int | None = None
    checksum: str | None = None
    concurrency: int = 4
    resume: str | None = None
    again: bool = False


def guess_type(name: str) -> str:
    """Return the media type that a name suggests.

    >>> guess_type("a/train.JSONL"), guess_type("x.csv"), guess_type("weights")
    ('application/x-ndjson', 'text/csv', 'application/octet-stream')
    """
    known = _TYPES.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 - a name and no path
    return known or mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE


class Uploading:
    """The upload of one file; ``run`` it once."""

    def __init__(
        self,
        service: Service,
        store: Store,
        wish: Wish,
        *,
        stop: threading.Event,
        listener: Listener | None,
    ) -> None:
        self._service = service
        self._store = store
        self._wish = wish
        self._stop = stop
        self._listener = listener
        self._file = LocalFile(wish.path)

    def run(self) -> Completed:
        """Upload the file, or whatever of it is missing.

        Raises:
            FileChangedError: the file is not what the upload was begun with.
            ProblemError, StoreError, UnreachableError: service or S3 refuse, or are away.
            UploadFailedError: the upload has ended in FAILED.
            StoppedError: the caller ended it.

        """
        if self._wish.resume is not None:
            return self._resume_named(self._wish.resume)
        body = self._body()
        for attempt in range(MAX_ATTEMPTS):
            opened = self._service.open(body, idempotency_key=self._key(body, attempt))
            action = decide(opened.status, resumed=opened.resumed, again=self._wish.again)
            if action is Action.PASS_OVER:
                continue
            try:
                return self._see_through(opened, action)
            except FileChangedError:
                # Of a completed one nothing is lost if the changed file gets an upload of its own.
                if opened.status.upper() != "COMPLETED":
                    raise
                self._file = LocalFile(self._wish.path)
        opened = self._service.open(body, idempotency_key=f"sdk-{secrets.token_hex(32)}")
        return self._see_through(opened, Action.SEND)

    def _body(self) -> bytes:
        asked = self._wish
        metadata = dict(asked.metadata or {})
        if asked.purpose is not None:
            metadata["purpose"] = asked.purpose
        name = asked.file_name or self._file.path.name
        return wish(
            file_name=name,
            file_size=self._file.size_bytes,
            file_type=asked.file_type or guess_type(name),
            metadata=metadata,
            chunk_size=asked.chunk_size,
            checksum=asked.checksum,
        )

    def _key(self, body: bytes, attempt: int) -> str:
        return idempotency_key(
            service_url=self._service.url,
            path=os.fspath(self._file.path),
            mtime_ns=self._file.mtime_ns,
            wish=body,
            attempt=attempt,
        )

    def _resume_named(self, upload_id: str) -> Completed:
        status = self._service.status(upload_id)
        if status.status.upper() == "FAILED":
            raise UploadFailedError(upload_id, status.reason)
        if status.file_size != self._file.size_bytes:
            raise FileChangedError(
                f"{self._file.path.name} has {self._file.size_bytes} bytes and {upload_id} is of "
                f"{status.file_size}: this is another file, or it changed. Start a new upload."
            )
        opened = Opened(
            upload_id=upload_id,
            chunk_size=status.chunk_size,
            total_chunks=status.total_chunks,
            status=status.status,
            resumed=True,
        )
        return self._see_through(opened, decide(status.status, resumed=True, again=False))

    def _see_through(self, opened: Opened, action: Action) -> Completed:
        job = Job(
            upload_id=opened.upload_id,
            file=self._file,
            chunk_size=opened.chunk_size,
            concurrency=self._wish.concurrency,
        )
        if job.chunk_count != opened.total_chunks:
            raise UnexpectedAnswerError("The service cuts this file into other chunks.")
        sending = Sending(
            self._service,
            self._store,
            job,
            fixed={} if action is Action.SEND else self._fixed(job),
            stop=self._stop,
            listener=self._listener,
        )
        digests = sending.run(self._missing(job, action))
        sending.meter.stage = "completing"
        if self._listener is not None:
            self._listener(sending.meter.look())
        completed = complete(
            self._service,
            opened.upload_id,
            CHECKSUM_PREFIX + root(digests),
            send_again=sending.run,
            stop=self._stop,
        )
        if completed.manifest.root != root(digests):
            raise FileChangedError(
                f"{self._file.path.name} is not what {opened.upload_id} was completed with."
            )
        return completed

    def _fixed(self, job: Job) -> dict[int, bytes]:
        if self._service.has_upload_token:
            # The manifest is not ours to read.
            return {}
        return fixed_digests(
            self._service.manifest(job.upload_id),
            file_size=self._file.size_bytes,
            chunk_size=job.chunk_size,
        )

    def _missing(self, job: Job, action: Action) -> list[int]:
        match action:
            case Action.SEND:
                return list(range(job.chunk_count))
            case Action.CONTINUE:
                missing = self._service.status(job.upload_id, verify=True).missing_chunks
                # Signing compares what the manifest would; what is there gets no URL.
                return list(range(job.chunk_count)) if self._service.has_upload_token else missing
            case Action.SETTLE | Action.PASS_OVER:
                return []
