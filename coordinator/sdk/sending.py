"""The engine: hashes ahead, signs in batches, sends several chunks at once.

Rule: one thread decides and holds all state, the one that calls ``run``; workers hash, send and
report, and hand back values. Hashing and sockets release the GIL, so threads are enough.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from coordinator.sdk.answers import SignedChunk
from coordinator.sdk.batches import MAX_BATCH, batch_to_sign, window
from coordinator.sdk.errors import (
    FileChangedError,
    ProblemError,
    UnexpectedAnswerError,
)
from coordinator.sdk.progress import Listener, Meter
from coordinator.sdk.reporting import Reporter
from coordinator.sdk.resume import pack
from coordinator.sdk.service import Service, indexes
from coordinator.sdk.source import LocalFile
from coordinator.sdk.store import Sent, Stale, Store, Ticket
from manifests import chunk_count

_TICK_S: Final = 0.2
_MAX_HASHERS: Final = 4
_MARGIN_S: Final = 60.0


class Hashed(msgspec.Struct, frozen=True):
    """A chunk of the file and its sha256."""

    index: int
    digest: bytes


Outcome = Hashed | Sent | Stale


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent where."""

    upload_id: str
    file: LocalFile
    chunk_size: int
    concurrency: int

    @property
    def chunk_count(self) -> int:
        """How many chunks the file has."""
        return chunk_count(self.file.size_bytes, self.chunk_size)

    def span(self, index: int) -> tuple[int, int]:
        """Return offset and length of a chunk."""
        offset = index * self.chunk_size
        return offset, min(self.chunk_size, self.file.size_bytes - offset)


class Sending:
    """One upload's way into S3. ``run`` may be called again for chunks that were lost."""

    def __init__(
        self,
        service: Service,
        store: Store,
        job: Job,
        *,
        fixed: Mapping[int, bytes],
        stop: threading.Event,
        listener: Listener | None,
    ) -> None:
        self._service = service
        self._store = store
        self._job = job
        self._fixed = fixed
        self._stop = stop
        self._listener = listener
        self._window = window(job.chunk_size, concurrency=job.concurrency)
        self._digests: list[bytes | None] = [None] * job.chunk_count
        self._signings = [0] * job.chunk_count
        self._outcomes: SimpleQueue[Future[Outcome]] = SimpleQueue()
        self._to_hash: deque[int] = deque(range(job.chunk_count))
        self._hashed: deque[int] = deque()  # known digest, no URL
        self._missing: set[int] = set()
        self._hashing = 0
        self._waiting = 0  # have a URL; those that are being sent are among them
        self._looked_at = 0.0
        self._force = False
        self.meter = Meter(
            bytes_total=job.file.size_bytes,
            chunks_total=job.chunk_count,
            upload_id=job.upload_id,
        )

    def run(self, missing: Iterable[int]) -> bytes:
        """Hash what is not hashed yet, send ``missing``, return all digests, packed.

        Raises:
            FileChangedError: the file differs from the digests that are fixed, or from itself.
            StoppedError: the caller ended it.
            ProblemError, StoreError, UnreachableError: service or S3 refuse, or are away.

        """
        self._missing = set(missing)
        if not self._to_hash:
            # A later round: S3 lost chunks whatever the ledger says of them.
            self._force = True
            self._hashed.extend(sorted(self._missing))
            for index in self._missing:
                self.meter.lost(self._job.span(index)[1])
        names = f"upload-{self._job.upload_id[-6:]}"
        hashers = ThreadPoolExecutor(min(_MAX_HASHERS, os.cpu_count() or 1), f"{names}-hash")
        senders = ThreadPoolExecutor(self._job.concurrency, f"{names}-send")
        reporter = Reporter(self._service, self._job.upload_id)
        wait = True
        try:
            self._drive(hashers, senders, reporter)
            reporter.finish()
        except KeyboardInterrupt:
            # Whoever presses Ctrl-C does not wait for a stuck connection.
            wait = False
            raise
        finally:
            if self._is_unfinished():
                self._stop.set()
            for pool in (hashers, senders, reporter):
                pool.shutdown(wait=wait, cancel_futures=True)
        self._job.file.check_unchanged()
        return pack(self._digests)

    def _is_unfinished(self) -> bool:
        return bool(self._to_hash or self._hashed or self._hashing or self._waiting)

    def _drive(
        self, hashers: ThreadPoolExecutor, senders: ThreadPoolExecutor, reporter: Reporter
    ) -> None:
        while self._is_unfinished():
            self._hash_ahead(hashers)
            self._sign(senders)
            for future in self._finished():
                self._take(future.result(), reporter)
            reporter.flush()
            self._tell()
        self._tell(is_last=True)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[], Outcome]) -> None:
        pool.submit(work).add_done_callback(self._outcomes.put)

    def _finished(self) -> list[Future[Outcome]]:
        """Return what the workers have done, at least one thing or none within a tick."""
        if not (self._hashing or self._waiting):
            return []
        try:
            found = [self._outcomes.get(timeout=_TICK_S)]
        except Empty:
            return []
        while not self._outcomes.empty():
            found.append(self._outcomes.get())
        return found

    def _hash_ahead(self, pool: ThreadPoolExecutor) -> None:
        while self._to_hash and self._hashing + len(self._hashed) + self._waiting < self._window:
            index = self._to_hash.popleft()
            self._hashing += 1
            self._submit(pool, lambda index=index: self._hash(index))  # type: ignore[misc]  # binds early

    def _hash(self, index: int) -> Outcome:
        offset, length = self._job.span(index)
        digest = self._job.file.digest(offset, length, self._stop)
        self.meter.hashed(length)
        return Hashed(index, digest)

    def _take(self, outcome: Outcome, reporter: Reporter) -> None:
        match outcome:
            case Hashed(index, digest):
                self._hashing -= 1
                self._compare(index, digest)
                self._digests[index] = digest
                if index in self._missing:
                    self._hashed.append(index)
                else:
                    self.meter.kept(self._job.span(index)[1])
            case Sent(index, etag):
                self._waiting -= 1
                reporter.add(index, etag)
            case Stale(index, _):
                self._waiting -= 1
                self._hashed.appendleft(index)

    def _compare(self, index: int, digest: bytes) -> None:
        if self._fixed.get(index, digest) != digest:
            raise FileChangedError(
                f"{self._job.file.path.name} changed since this upload began: chunk {index} has "
                "other bytes now. Start a new upload.",
                [index],
            )

    def _sign(self, senders: ThreadPoolExecutor) -> None:
        count = batch_to_sign(
            hashed=len(self._hashed),
            waiting=max(0, self._waiting - self._job.concurrency),
            concurrency=self._job.concurrency,
            window=self._window,
            is_last=not (self._to_hash or self._hashing),
        )
        if not count:
            return
        batch = [self._hashed.popleft() for _ in range(min(count, MAX_BATCH))]
        digests = {index: self._digests[index] or b"" for index in batch}
        asked_at = time.monotonic()
        try:
            chunks, lifetime_s = self._service.sign(self._job.upload_id, digests, force=self._force)
        except ProblemError as exc:
            if exc.code == "digest-conflict":
                raise _conflict(self._job.file, exc) from exc
            raise
        if [chunk.chunk_index for chunk in chunks] != batch:
            raise UnexpectedAnswerError("The service signed other chunks than it was asked for.")
        fresh_until = asked_at + lifetime_s - min(_MARGIN_S, lifetime_s / 4)
        for chunk in chunks:
            self._start(senders, chunk, fresh_until)

    def _start(self, senders: ThreadPoolExecutor, chunk: SignedChunk, fresh_until: float) -> None:
        index = chunk.chunk_index
        offset, length = self._job.span(index)
        if chunk.url is None:
            self.meter.kept(length)
            return
        if chunk.size not in {None, length}:
            raise UnexpectedAnswerError("The service cuts this file into other chunks.")
        self._signings[index] += 1
        ticket = Ticket(
            index=index,
            offset=offset,
            length=length,
            digest=self._digests[index] or b"",
            url=chunk.url,
            headers=chunk.headers,
            fresh_until=fresh_until,
            signings=self._signings[index],
        )
        self._waiting += 1
        self._submit(
            senders, lambda: self._store.send(ticket, self._job.file, self.meter, self._stop)
        )

    def _tell(self, *, is_last: bool = False) -> None:
        """Let the listener look, ten times a second at most."""
        now = time.monotonic()
        if self._listener and (is_last or now - self._looked_at >= _TICK_S / 2):
            self._looked_at = now
            self._listener(self.meter.look())


def _conflict(file: LocalFile, problem: ProblemError) -> FileChangedError:
    return FileChangedError(
        f"{file.path.name} changed since this upload began: its chunks were signed with other "
        "digests. Start a new upload.",
        indexes(problem, "chunks"),
    )
