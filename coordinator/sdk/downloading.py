"""Brings a completed object back: checked against its manifest while it is written.

Rule: under the wished name there is the whole proven file, or nothing.
"""

import os
import re
import tempfile
import threading
from pathlib import Path
from typing import IO, Final

import httpx

from coordinator.sdk.errors import (
    ClientError,
    MismatchError,
    StoppedError,
    StoreError,
    UnexpectedAnswerError,
    UnreachableError,
)
from coordinator.sdk.progress import Listener, Meter
from coordinator.sdk.retries import Patience
from coordinator.sdk.service import CONNECTION_FAILURES, Service
from coordinator.sdk.store import Answer, Store, error_code, judge
from manifests import FileCheck, Manifest, ManifestError, Verdict, parse

_PATIENCE_S: Final = 120.0
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


def read_manifest(service: Service, upload_id: str, *, of: str = "upload") -> Manifest:
    """Return the manifest of a completed upload, or with ``of="download"`` of what it gives.

    Raises:
        UnexpectedAnswerError: it is not completed, or no manifest was answered.

    """
    try:
        return parse(service.manifest(upload_id, of=of))
    except ManifestError as exc:
        raise UnexpectedAnswerError(
            f"{upload_id} has no whole manifest; is it completed? ({exc.detail})"
        ) from exc


def local_name(manifest: Manifest) -> str:
    """Return a name under which the file can lie in any folder: no path, nothing hidden.

    >>> local_name(Manifest(file_name="..a:b", file_size=1, chunk_size=1, digests=bytes(32)))
    'a_b'
    """
    return _NOT_IN_NAMES.sub("_", manifest.file_name).lstrip(".").rstrip(". ") or "download"


class Downloading:
    """One download. It goes on where a broken connection left it."""

    def __init__(
        self, service: Service, store: Store, upload_id: str, *, stop: threading.Event
    ) -> None:
        self._service = service
        self._store = store
        self._upload_id = upload_id
        self._stop = stop

    def run(self, target: Path, manifest: Manifest, listener: Listener | None) -> Verdict:
        """Write the object to ``target``, replacing what is there.

        Raises:
            MismatchError: the bytes are not those of the manifest; ``target`` is untouched.
            StoreError, UnreachableError: S3 refuses, or is away.
            StoppedError: the caller ended it.

        """
        check = FileCheck(manifest)
        meter = Meter(bytes_total=manifest.file_size, chunks_total=manifest.chunk_count)
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".part", delete=False
        ) as file:
            partial = Path(file.name)
            try:
                self._fetch_all(_Sink(file, check, meter, listener))
                verdict = _proven(check)
                file.flush()
                os.fsync(file.fileno())
                file.close()
                partial.chmod(0o666 & ~_umask())
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        return verdict

    def _fetch_all(self, sink: "_Sink") -> None:
        """Fetch from where the last connection broke, as long as that makes headway."""
        patience = Patience(_PATIENCE_S, self._stop)
        while (failure := self._fetch(sink)) is not None:
            if sink.takes_headway():
                patience = Patience(_PATIENCE_S, self._stop)
            if not patience.pause():
                raise failure

    def _fetch(self, sink: "_Sink") -> ClientError | None:
        """Fetch the rest; return what stopped it, if trying again may help."""
        offset = sink.bytes_seen
        try:
            with self._store.reading(self._address(), offset) as answer:
                if refusal := _refusal(answer, offset):
                    return refusal
                for block in answer.iter_raw():
                    if self._stop.is_set():
                        raise StoppedError
                    sink.take(block)
        except CONNECTION_FAILURES:
            return UnreachableError("S3 cannot be reached for the download.")
        return None

    def _address(self) -> str:
        return self._service.download_url(self._upload_id)


class _Sink:
    """Where downloaded bytes go: into the file, the check, and the progress."""

    def __init__(
        self, file: IO[bytes], check: FileCheck, meter: Meter, listener: Listener | None
    ) -> None:
        self._file = file
        self._check = check
        self._meter = meter
        self._listener = listener
        self._seen_before = 0

    @property
    def bytes_seen(self) -> int:
        """How much has been written."""
        return self._check.bytes_seen

    def takes_headway(self) -> bool:
        """Whether anything has come since this was last asked."""
        before, self._seen_before = self._seen_before, self.bytes_seen
        return self.bytes_seen > before

    def take(self, block: bytes) -> None:
        """Write the next bytes."""
        self._check.feed(block)
        self._file.write(block)
        self._meter.moved(0, len(block))
        self._meter.stage = "downloading"
        if self._listener is not None:
            self._listener(self._meter.look())


def _proven(check: FileCheck) -> Verdict:
    verdict = check.verdict()
    if not verdict.is_match:
        raise MismatchError("S3 sent other bytes than the manifest names.", verdict)
    return verdict


def _refusal(answer: httpx.Response, offset: int) -> StoreError | None:
    """Let nothing pass but the bytes from ``offset``; return a refusal that may be temporary."""
    if answer.status_code == (httpx.codes.PARTIAL_CONTENT if offset else httpx.codes.OK):
        return None
    code = error_code(answer)
    refusal = StoreError("S3 refuses the download", status=answer.status_code, code=code)
    if judge(answer.status_code, code) is not Answer.TRY_AGAIN:
        raise refusal
    return refusal


def _umask() -> int:
    """Return the mask of new files; there is no way to read it but to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
