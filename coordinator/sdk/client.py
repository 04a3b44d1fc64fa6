"""The blocking client: what a program needs, and nothing that the HTTP API does not have."""

import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from coordinator.sdk.answers import HandedOut, Listed, Status, UploadToken
from coordinator.sdk.checking import check_file
from coordinator.sdk.downloading import Downloading, local_name, read_manifest
from coordinator.sdk.errors import ConfigurationError
from coordinator.sdk.events import Event, follow
from coordinator.sdk.handle import Handle
from coordinator.sdk.progress import Listener
from coordinator.sdk.resume import wish
from coordinator.sdk.searching import Dataset, Hit, card, datasets, search
from coordinator.sdk.service import Service
from coordinator.sdk.store import Store
from coordinator.sdk.uploading import Uploading, Wish, guess_type
from manifests import Manifest, Verdict

MAX_CONCURRENCY: Final = 64


class Client:
    """A service and a key; both default to ``COORDINATOR_URL`` and ``COORDINATOR_API_KEY``.

    An upload token in place of the key does for ``upload(path, resume=…)``, ``status``, ``events``
    and ``abort`` of its upload.

    Threads may share one. Close it, or use it as a context manager.

    Raises:
        ConfigurationError: address or key are missing, or cannot be used.

    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, stop: threading.Event | None = None
    ) -> None:
        self._stop = stop or threading.Event()
        self._service = Service(
            _given(url, "COORDINATOR_URL"), _given(key, "COORDINATOR_API_KEY"), self._stop
        )
        self._store = Store()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()
        self._store.close()

    def upload(
        self,
        path: str | os.PathLike[str],
        purpose: str | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        file_name: str | None = None,
        chunk_size: int | None = None,
        checksum: str | None = None,
        concurrency: int = 4,
        resume: str | None = None,
        again: bool = False,
        progress: Listener | None = None,
        stop: threading.Event | None = None,
    ) -> Handle:
        """Upload a file and return when S3 has been proven to hold it.

        Called again for the same file, after a crash too, it sends only what is missing, and
        of a completed upload nothing; ``again`` makes a second copy instead. ``resume`` names
        an upload to continue, which is needed only after more than 24 hours. ``stop`` ends it
        from another thread, and leaves the upload to be resumed.

        Raises:
            NotAFileError: there is no regular file at ``path``.
            FileChangedError: the file is not what the upload was begun with.
            ProblemError, StoreError: the service or S3 refuses.
            UnreachableError: one of them cannot be reached.
            UploadFailedError: the upload has ended in FAILED.
            StoppedError: ``stop`` was set.

        """
        if not 1 <= concurrency <= MAX_CONCURRENCY:
            raise ValueError(f"concurrency is 1 to {MAX_CONCURRENCY}")
        stop = stop or threading.Event()
        service = self._service.bound_to(stop)
        asked = Wish(
            path=path,
            purpose=purpose,
            metadata=metadata,
            file_type=file_type,
            file_name=file_name,
            chunk_size=chunk_size,
            checksum=checksum,
            concurrency=concurrency,
            resume=resume,
            again=again,
        )
        result = Uploading(service, self._store, asked, stop=stop, listener=progress).run()
        return Handle(self._service, result, self._stop)

    def hand_out(
        self,
        *,
        file_name: str,
        size: int,
        file_type: str | None = None,
        user_id: str | None = None,
        purpose: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        chunk_size: int | None = None,
        checksum: str | None = None,
        idempotency_key: str | None = None,
    ) -> HandedOut:
        """Open an upload for somebody else to send, and return the token by which they do.

        Whoever has the token needs no key: a page, or ``Client(url, token).upload(path,
        resume=upload_id)``. ``user_id`` names whose upload it is, which needs the scope
        ``act-as``. The same ``idempotency_key`` finds the same upload again.

        Raises:
            ProblemError: the service refuses.

        """
        body = wish(
            file_name=file_name,
            file_size=size,
            file_type=file_type or guess_type(file_name),
            metadata=dict(metadata or {}) | ({"purpose": purpose} if purpose else {}),
            chunk_size=chunk_size,
            checksum=checksum,
            upload_token=True,
            user_id=user_id,
        )
        key = idempotency_key or f"sdk-{secrets.token_hex(32)}"
        return self._service.hand_out(body, idempotency_key=key)

    def renew_token(self, upload_id: str) -> UploadToken:
        """Return another token for an upload that is open.

        Raises:
            ProblemError: it is over (``wrong-phase``), or there is none.

        """
        return self._service.renew_token(upload_id)

    def status(self, upload_id: str, *, verify: bool = False) -> Status:
        """Return what the service knows of an upload; ``verify`` has it ask S3 first."""
        return self._service.status(upload_id, verify=verify)

    def events(self, upload_id: str, *, stop: threading.Event | None = None) -> Iterator[Event]:
        """Yield how an upload stands, then each change, until nothing will change any more.

        That is after FAILED, or COMPLETED with all jobs over. Lost connections are made anew and
        go on where they broke. ``stop`` ends it from another thread, within 15 seconds.

        Raises:
            ProblemError: there is no such upload, or the key has ended.
            UnreachableError: the service cannot be reached.
            StoppedError: ``stop`` was set.

        """
        stop = stop or self._stop
        return follow(self._service.bound_to(stop), upload_id, stop)

    def list(self, *, phase: str | None = None) -> Iterator[Listed]:
        """Yield the caller's uploads, newest first, page by page as they are needed."""
        filters = {} if phase is None else {"status": phase.upper()}
        cursor: str | None = None
        while True:
            page = self._service.page(cursor, filters)
            yield from page.uploads
            cursor = page.next_cursor
            if cursor is None:
                return

    def search(self, query: str, *, upload_id: str | None = None, limit: int = 10) -> Sequence[Hit]:
        """Return the rows of indexed uploads that mean what ``query`` says, the nearest first.

        Raises:
            ProblemError: nothing is indexed there (``search-not-available``).

        """
        return search(self._service, query, upload_id=upload_id, limit=limit)

    def datasets(self) -> Iterator[Dataset]:
        """Yield the uploads that have a card, newest first."""
        return datasets(self._service)

    def card(self, upload_id: str) -> dict[str, Any]:
        """Return a data set's card, in the vocabulary of Croissant.

        Raises:
            ProblemError: it has none (``no-card``), or there is no such upload.

        """
        return card(self._service, upload_id)

    def manifest(self, upload_id: str) -> Manifest:
        """Return the manifest of a completed upload."""
        return read_manifest(self._service, upload_id)

    def download(
        self,
        upload_id: str,
        path: str | os.PathLike[str] | None = None,
        *,
        progress: Listener | None = None,
        stop: threading.Event | None = None,
    ) -> Path:
        """Write a completed upload to ``path`` and return where it is.

        Where the upload asked for that, it is the copy without personal data. The bytes are
        checked against the manifest before the file gets its name. Without a
        ``path`` that is the name it was uploaded under, in the current folder, and an existing
        file is not replaced; a folder as ``path`` is meant in the same way.

        Raises:
            FileExistsError: a file of that name exists and ``path`` did not name it.
            MismatchError: S3 sent other bytes than the manifest names.

        """
        stop = stop or threading.Event()
        service = self._service.bound_to(stop)
        manifest = read_manifest(service, upload_id, of="download")
        target = Path("." if path is None else path)
        if target.is_dir():
            target = target / local_name(manifest)
            if target.exists():
                raise FileExistsError(f"{target} exists; name it to replace it.")
        Downloading(service, self._store, upload_id, stop=stop).run(target, manifest, progress)
        return target

    def verify(
        self,
        path: str | os.PathLike[str],
        upload: str | Manifest,
        *,
        progress: Listener | None = None,
        stop: threading.Event | None = None,
    ) -> Verdict:
        """Compare a local file with a completed upload, or with a manifest at hand."""
        manifest = upload if isinstance(upload, Manifest) else self.manifest(upload)
        return check_file(path, manifest, listener=progress, stop=stop)

    def abort(self, upload_id: str) -> bool:
        """Give an upload up; False while that is still under way. What is completed stays.

        Raises:
            ProblemError: it is completed (``wrong-phase``), or there is none.

        """
        return self._service.abort(upload_id)


def _given(value: str | None, variable: str) -> str:
    found = value or os.environ.get(variable)
    if not found:
        raise ConfigurationError(f"{variable} is not set, and nothing else was given.")
    return found
