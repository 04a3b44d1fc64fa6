"""What a job's body works with: its object, its earlier results, a place to write, and the pieces.

Everything here blocks, in the body's own thread; :class:`Host` talks to the event loop.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from functools import cached_property
from pathlib import PurePosixPath
from threading import Event
from typing import Any, Final, TypeVar

import msgspec

from coordinator.adapters.object_writing import PART_BYTES, ObjectWriting, Stored
from coordinator.domain.kinds import Kind
from coordinator.jobs.detect import HEAD_BYTES, Detected, detect
from coordinator.jobs.executors import mapped
from coordinator.jobs.host import Host
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import Piece
from coordinator.jobs.series import Series, Written
from coordinator.jobs.stopping import FatalJobError, StoppedError

__all__ = [
    "FatalJobError",
    "Options",
    "Outcome",
    "StoppedError",
    "Subject",
    "Workspace",
    "Written",
]

_T = TypeVar("_T")
_N = TypeVar("_N", bound=msgspec.Struct)

# S3 has 10,000 parts; an artifact may be longer than what it is made of.
_MAX_PARTS: Final = 8_000
_LARGEST_PART: Final = 128 * 1024 * 1024
_MAX_KEPT: Final = 1024 * 1024


class Outcome(msgspec.Struct, frozen=True):
    """What a body found."""

    result: dict[str, Any]
    blocks: str | None = None  # a code: why no job that needs this one may run
    rows: int | None = None  # gone through


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What of the settings bodies need. It holds secrets, and shows none."""

    database_url: str = ""
    secret: str = ""
    public_url: str = ""
    embedder: Any = None
    trainers: tuple[Any, ...] = ()

    __repr__ = object.__repr__


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a job is about."""

    upload_id: str
    job_id: str
    attempt: int
    file_name: str
    file_type: str
    root: str | None
    sha256: str | None
    folder: str  # of the job's artifacts: a key up to and with its last slash
    token: str  # marks the upload's objects
    earlier: Mapping[Kind, dict[str, Any]]  # results of jobs that have succeeded
    artifacts: Mapping[tuple[Kind, str], tuple[str, int]]  # theirs: key and size


class Workspace:
    """One attempt of one job, as its body sees it."""

    def __init__(
        self,
        subject: Subject,
        source: tuple[str, int],
        host: Host,
        executor: Executor,
        *,
        options: Options,
        stopped: Event,
        ahead: int = 4,
    ) -> None:
        self.upload_id = subject.upload_id
        self.job_id = subject.job_id
        self.attempt = subject.attempt
        self.file_name = subject.file_name
        self.file_type = subject.file_type
        self.root = subject.root
        self.sha256 = subject.sha256
        self.earlier = subject.earlier
        self.options = options
        self.progress: tuple[int, int] | None = None
        self.written: list[Stored] = []
        self._subject = subject
        self._key, self._size = source
        self._host = host
        self._executor = executor
        self._stopped = stopped
        self._ahead = ahead

    @property
    def source(self) -> ObjectSource:
        """What to read: the upload's object, or its redacted copy."""
        return self._host.source(self._key, self._size)

    def reader(self) -> ObjectReader:
        """Open the object."""
        return ObjectReader(self.source)

    @cached_property
    def _detected(self) -> Detected:
        return detect(self.reader().read(0, HEAD_BYTES), self.file_name, self.file_type)

    def detected(self) -> Detected:
        """Say what the object is, by its first bytes."""
        return self._detected

    def mapped(
        self,
        function: Callable[..., _T],
        pieces: Iterable[Piece],
        *arguments: Any,
        keep: bool = True,
    ) -> Iterator[_T]:
        """Call ``function(piece, *arguments)`` for each, side by side; results in their order.

        What is kept of a piece is not computed again, by no attempt.

        Raises:
            StoppedError: the job was cancelled, or another attempt has taken over.

        """
        cut = list(pieces)
        total = sum(each.end - each.start for each in cut)
        task = _task(function, cut, arguments)
        done = 0

        def note(position: int, result: bytes | None, _again: int = 0) -> None:
            nonlocal done
            done += cut[position].end - cut[position].start
            self.progress = (done, total)
            if keep and result is not None and len(result) <= _MAX_KEPT:
                self._host.keep(task, position, result)

        yield from mapped(
            self._executor,
            function,
            cut,
            arguments,
            kept=self._host.kept(task) if keep else {},
            on_result=note,
            is_stopped=self._stopped.is_set,
            keep=keep,
            ahead=self._ahead,
            name=self.job_id,
        )

    def note(self, done: int, total: int) -> None:
        """Say how far the work is, as often as one likes.

        Raises:
            StoppedError: it should not go on.

        """
        self.progress = (done, total)
        if self._stopped.is_set():
            raise StoppedError

    def write(self, path: str, blocks: Iterable[bytes], *, media_type: str) -> Written:
        """Write an artifact, streamed; one part is sent while the next is made.

        Raises:
            StoppedError: the job should not go on; nothing is left of the artifact.

        """
        part_bytes = min(_LARGEST_PART, max(PART_BYTES, self._size // _MAX_PARTS))
        writing = self._host.writing(
            self._subject.folder + path,
            media_type=media_type,
            token=self._subject.token,
            part_bytes=part_bytes,
        )
        self._host.wait(writing.begin())
        try:
            self._send_all(writing, blocks)
            stored = self._host.wait(writing.finish(PurePosixPath(path).name))
        except BaseException:
            self._host.wait(writing.abort())
            raise
        self.written.append(stored)
        return Written(
            path, stored.size_bytes, stored.sha256.hex(), stored.root, media_type, stored.key
        )

    def series(self, note: type[_N], *named: Any) -> Series[_N]:
        """Begin a series of files, or go on with it; ``named`` is all that decides their bytes."""
        name = _name_of([self._key, self._size, *named])
        return Series(self._host, name, note, self.written)

    def path_of(self, stored: Stored) -> str:
        """Return the path under which an artifact was written."""
        return stored.key.removeprefix(self._subject.folder)

    def _send_all(self, writing: ObjectWriting, blocks: Iterable[bytes]) -> None:
        under_way: Future[None] | None = None
        for part in _parts(blocks, writing.part_bytes):
            if self._stopped.is_set():
                raise StoppedError
            if under_way is not None:
                under_way.result()
            under_way = self._host.begin(writing.send(part))
        if under_way is not None:
            under_way.result()

    def artifact(self, kind: Kind, path: str) -> ObjectSource:
        """Say where an artifact of an earlier job is.

        Raises:
            FatalJobError: that job made no such artifact.

        """
        found = self._subject.artifacts.get((kind, path))
        if found is None:
            raise FatalJobError("artifact-missing", f"{kind} made no {path}")
        return self._host.source(*found)


def _parts(blocks: Iterable[bytes], part_bytes: int) -> Iterator[bytes]:
    """Gather blocks into parts of one size; the last may be shorter."""
    gathered = bytearray()
    for block in blocks:
        gathered += block
        while len(gathered) >= part_bytes:
            yield bytes(gathered[:part_bytes])
            del gathered[:part_bytes]
    if gathered:
        yield bytes(gathered)


def _task(function: Callable[..., Any], pieces: list[Piece], arguments: tuple[Any, ...]) -> bytes:
    """Name a task by what it does: another cut or other arguments find nothing of it."""
    edges = [(each.start, each.end) for each in pieces]
    return _name_of([f"{function.__module__}.{function.__qualname__}", edges, arguments])


def _name_of(what: list[Any]) -> bytes:
    return hashlib.sha256(msgspec.json.encode(what, enc_hook=repr)).digest()[:16]
