"""One upload's row and the attempts to end it, step by step, as the operations drive them.

Decisions are the domain's own functions. Between two steps anything may happen: other clients,
a crash, the end of the lease. Time is the database's, in seconds.
"""

from enum import Enum, auto
from typing import Any, Final

import msgspec

from coordinator.domain.assembly import (
    AssemblyPart,
    Content,
    assemble,
    check_declared,
    content_of,
    needs_hashing,
)
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.phases import TRANSITIONS, Event, Intent, Phase, Reason, after
from coordinator.domain.uploads import (
    Busy,
    Ended,
    Seal,
    Upload,
    check_signable,
    seal,
    take_for_hashing,
)
from tests.domain.builders import an_upload, at
from tests.machine.store import InvalidPartError, NoSuchUploadError, Store

LEASE_S: Final = 20
S3_DEADLINE_S: Final = 15

_MOVES: Final = {(source, to) for (source, _), to in TRANSITIONS.items()}


class Step(Enum):
    """What an attempt does next."""

    PREPARE = auto()  # compare with S3, or abort the multipart
    SEND = auto()  # CompleteMultipartUpload
    AWAIT = auto()  # S3 has the request
    HASH = auto()  # read the object
    FINISH = auto()  # S3 holds the object: write that down
    OVER = auto()


class Attempt(msgspec.Struct):
    """A process that holds, or held, the lease."""

    upload: Upload
    before: Upload
    step: Step
    parts: tuple[AssemblyPart, ...] = ()
    sent_at: int = 0
    is_deaf: bool = False  # its process is gone, or has stopped to wait

    @property
    def number(self) -> int:
        """What fences its writes."""
        return self.upload.attempt


class History:
    """An upload from its opening to its end. ``notes`` says what has happened on the way."""

    def __init__(self, store: Store, *, size_bytes: int, chunk_bytes: int) -> None:
        self.store = store
        self.clock = 1
        self.row: Upload = an_upload(size_bytes=size_bytes, chunk_bytes=chunk_bytes)
        self.digests: dict[int, bytes] = {}
        self.attempts: list[Attempt] = []
        self.notes: set[str] = set()
        self._numbers: list[int] = []

    def read(self) -> Upload:
        """Read the row as of now."""
        return msgspec.structs.replace(self.row, as_of=at(self.clock))

    @property
    def content(self) -> Content | None:
        """What the object must be, once everything was signed."""
        return content_of(self.row.plan, self.digests)

    @property
    def is_proven(self) -> bool:
        """Whether the object at the key is this upload's, whole."""
        found, content = self.store.object, self.content
        return (
            found is not None
            and content is not None
            and (found.token, sum(map(len, found.chunks)), found.root)
            == (self.row.token, self.row.size_bytes, content.root)
        )

    def sign(self, index: int, digest: bytes) -> str:
        """Fix a chunk's digest and return the multipart that its URL is for.

        Raises:
            CoordinatorError: the phase or the deadline forbids it.
            ValueError: another digest is final.

        """
        phase = check_signable(self.read())
        if self.digests.setdefault(index, digest) != digest:
            raise ValueError(index)
        multipart_id = self.row.multipart_id or self.store.create()
        self._write(phase, multipart_id=multipart_id)
        return multipart_id

    def seal(self, intent: Intent, declared: Declared) -> Attempt | Ended | Busy:
        """Ask for an end, as a client or the reconciler does."""
        before = self.read()
        decision = seal(before, intent, declared, None)
        if not isinstance(decision, Seal):
            return decision
        return self._begin(before, decision, Step.PREPARE)

    def take_for_hashing(self) -> Attempt | None:
        """Ask for the object to be hashed, as the queue does."""
        before = self.read()
        decision = take_for_hashing(before)
        return None if decision is None else self._begin(before, decision, Step.HASH)

    def advance(self, attempt: Attempt) -> None:
        """Take the attempt's next step; what it learns after losing the lease goes nowhere."""
        match attempt.step:
            case Step.PREPARE if attempt.upload.intent is Intent.COMPLETE:
                self._compare(attempt)
            case Step.PREPARE:
                self._abort(attempt)
            case Step.SEND:
                self._send(attempt)
            case Step.HASH:
                self._hash(attempt)
            case Step.FINISH:
                self._finish(attempt)
            case Step.AWAIT | Step.OVER:
                raise AssertionError(attempt.step)

    def crash(self, attempt: Attempt) -> None:
        """End the process, or let it stop to wait. A request that S3 has stays in flight."""
        self.notes.add(f"crashed at {attempt.step.name}")
        if attempt.step is Step.AWAIT:
            attempt.is_deaf = True
        else:
            self._end(attempt)

    def in_flight(self) -> list[Attempt]:
        """Say whose CompleteMultipartUpload S3 may still carry out."""
        return [
            each
            for each in self.attempts
            if each.step is Step.AWAIT and self.clock < each.sent_at + S3_DEADLINE_S
        ]

    def answer(self, attempt: Attempt, *, reaches_s3: bool, is_heard: bool) -> None:
        """Let S3 carry the request out or not, and let its answer be heard or not."""
        lost_parts = lost_multipart = False
        if reaches_s3 and attempt in self.in_flight():
            assert attempt.upload.multipart_id is not None
            try:
                self.store.complete(attempt.upload.multipart_id, self.row.token, attempt.parts)
            except InvalidPartError:
                lost_parts = True
            except NoSuchUploadError:
                lost_multipart = True
        if attempt.is_deaf:
            self.notes.add("committed, nobody listened" if self.is_proven else "never carried out")
            self._end(attempt)
        elif self.is_proven:
            self.notes.add("committed, answer heard" if is_heard else "committed, answer lost")
            attempt.step = Step.FINISH
        elif is_heard and (lost_parts or lost_multipart):
            self._reopen(attempt, multipart_lost=lost_multipart)
        else:
            self.notes.add("unsettled")
            self._end(attempt)

    def _begin(self, before: Upload, decision: Seal, step: Step) -> Attempt:
        assert all(decision.attempt > earlier for earlier in self._numbers), "a number came twice"
        self._numbers.append(decision.attempt)
        if before.phase is Phase.ASSEMBLING:
            self.notes.add(f"{decision.intent.value} took over {before.intent}")
        self._write(
            decision.phase,
            intent=decision.intent,
            attempt=decision.attempt,
            declared_sha256=decision.declared.sha256,
            declared_root=decision.declared.root,
            lease_until=at(self.clock + LEASE_S),
        )
        attempt = Attempt(self.read(), before, step)
        self.attempts.append(attempt)
        return attempt

    def _compare(self, attempt: Attempt) -> None:
        content, upload = self.content, attempt.upload
        declared = Declared(upload.declared_sha256, upload.declared_root)
        try:
            if content is not None and self.is_proven:
                check_declared(content, declared)
                attempt.step = Step.FINISH
                self.notes.add("an earlier attempt had assembled it")
                return
            listed = self.store.list_parts(upload.multipart_id) if upload.multipart_id else []
            attempt.parts = assemble(upload.plan, self.digests, listed)
            assert content is not None
            check_declared(content, declared)
        except NoSuchUploadError:
            self._reopen(attempt, multipart_lost=True)
        except CoordinatorError as refusal:
            self.notes.add(refusal.code)
            self._reopen(attempt)
        else:
            attempt.step = Step.SEND

    def _abort(self, attempt: Attempt) -> None:
        self.store.drop(attempt.upload.multipart_id)
        if self.is_proven:
            self.notes.add("aborted too late")
            attempt.step = Step.FINISH
            return
        reason = Reason.ABORTED if attempt.upload.intent is Intent.ABORT else Reason.EXPIRED
        self._leave(attempt, after(attempt.upload.phase, Event.GIVE_UP), reason=reason)

    def _send(self, attempt: Attempt) -> None:
        """Renew the lease, immediately before what must not happen twice."""
        if not self._is_current(attempt) or not self.read().is_leased:
            self.notes.add("the lease was lost before sending")
            self._end(attempt)
            return
        self._write(self.row.phase, lease_until=at(self.clock + LEASE_S))
        attempt.sent_at = self.clock
        attempt.step = Step.AWAIT

    def _hash(self, attempt: Attempt) -> None:
        found = self.store.object
        if found is not None and found.sha256 == attempt.upload.declared_sha256:
            self._leave(attempt, after(attempt.upload.phase, Event.FINISH))
            return
        phase = after(attempt.upload.phase, Event.GIVE_UP)
        if self._leave(attempt, phase, reason=Reason.CHECKSUM_MISMATCH):
            self.store.object = None

    def _finish(self, attempt: Attempt) -> None:
        declared = Declared(attempt.upload.declared_sha256, attempt.upload.declared_root)
        if needs_hashing(attempt.upload.plan, declared):
            self.notes.add("left to be hashed")
            self._leave(attempt, attempt.upload.phase, assembled_at=at(self.clock))
        else:
            self._leave(attempt, after(attempt.upload.phase, Event.FINISH))

    def _reopen(self, attempt: Attempt, *, multipart_lost: bool = False) -> None:
        self.notes.add("reopened, multipart lost" if multipart_lost else "reopened")
        before = attempt.before
        changes: dict[str, Any] = {
            "declared_sha256": before.declared_sha256,
            "declared_root": before.declared_root,
        }
        if multipart_lost:
            changes |= {"multipart_id": None, "generation": self.row.generation + 1}
        self._leave(attempt, after(attempt.upload.phase, Event.REOPEN), **changes)

    def _leave(self, attempt: Attempt, phase: Phase, **changes: Any) -> bool:
        """Write the attempt's result, unless another one has taken over."""
        self._end(attempt)
        if not self._is_current(attempt):
            self.notes.add("fenced")
            return False
        intent = self.row.intent if phase is Phase.ASSEMBLING else None
        self._write(phase, intent=intent, lease_until=None, **changes)
        return True

    def _is_current(self, attempt: Attempt) -> bool:
        return self.row.phase is Phase.ASSEMBLING and self.row.attempt == attempt.number

    def _end(self, attempt: Attempt) -> None:
        attempt.step = Step.OVER
        self.attempts.remove(attempt)

    def _write(self, phase: Phase, **changes: Any) -> None:
        assert (self.row.phase, phase) in _MOVES, f"{self.row.phase} became {phase}"
        self.row = msgspec.structs.replace(self.row, phase=phase, **changes)
