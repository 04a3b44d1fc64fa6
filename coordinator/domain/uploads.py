"""The snapshot of an upload's row, and what may be done with it."""

from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import msgspec

from coordinator.domain import file_types, ids
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import (
    ChecksumConflictError,
    ChecksumMismatchError,
    HeldError,
    TypeNotAllowedError,
    UploadExpiredError,
    WrongPhaseError,
)
from coordinator.domain.phases import OPEN_PHASES, Event, Intent, Phase, Reason, after
from coordinator.domain.plan import Plan


class Owner(msgspec.Struct, frozen=True):
    """Whose uploads are meant: one user's, or with no user everybody's in the tenant.

    ``only``: of these no other than this one exists for whoever asks.
    """

    tenant: str
    user: str | None
    only: UUID | None = None


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``uploads`` as read at ``as_of``, by the database's clock."""

    id: UUID
    tenant: str
    user_id: str
    bucket: str
    region: str
    object_key: str
    file_name: str
    file_type: str
    size_bytes: int
    chunk_bytes: int
    checksum: str | None
    declared_sha256: bytes | None
    declared_root: str | None
    metadata: dict[str, Any]
    phase: Phase
    reason: str | None
    generation: int
    multipart_id: str | None
    token: str
    intent: Intent | None
    attempt: int
    lease_until: datetime | None
    assembled_at: datetime | None
    auto_complete: bool = False
    late_checksum: str | None = None
    hold: str | None = None
    erasing_since: datetime | None = None
    archived_at: datetime | None = None
    detected_type: str | None = None
    created_at: datetime
    updated_at: datetime
    deadline: datetime
    finished_at: datetime | None = None
    as_of: datetime

    @property
    def public_id(self) -> str:
        """The id that callers know."""
        return ids.encode(ids.UPLOAD, self.id)

    @property
    def plan(self) -> Plan:
        """How the file is cut."""
        return Plan(self.size_bytes, self.chunk_bytes)

    @property
    def is_open(self) -> bool:
        """Whether it can still be completed."""
        return self.phase in OPEN_PHASES

    @property
    def is_leased(self) -> bool:
        """Whether somebody is driving it to an end right now."""
        return self.lease_until is not None and self.as_of < self.lease_until

    @property
    def ran_out(self) -> bool:
        """Whether its deadline has passed."""
        return self.as_of >= self.deadline

    @property
    def awaits_hashing(self) -> bool:
        """Whether the object stands in S3 and only the whole-file sha256 is unproven."""
        return self.phase is Phase.ASSEMBLING and self.assembled_at is not None


def check_signable(upload: Upload) -> Phase:
    """Return the phase after signing.

    The phase is checked before the deadline, so that a late caller learns how it ended.

    Raises:
        WrongPhaseError: the chunk list is frozen or the upload is over.
        UploadExpiredError: its deadline had passed when the row was read.

    """
    phase = after(upload.phase, Event.SIGN, reason=upload.reason)
    if upload.ran_out:
        raise UploadExpiredError
    return phase


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What to write to take the lease for ``intent``; ``attempt`` fences every later write."""

    phase: Phase
    intent: Intent
    attempt: int
    checksum: str | None
    declared: Declared


class Ended(msgspec.Struct, frozen=True):
    """There is nothing to do: the upload has reached this final phase."""

    phase: Phase


class Busy(msgspec.Struct, frozen=True):
    """Not now: somebody else holds the lease, a worker is hashing, or its client has time left."""


def seal(
    upload: Upload, intent: Intent, declared: Declared, checksum: str | None
) -> Seal | Ended | Busy:
    """Decide who drives ``upload`` to its end.

    A repeated request gets what was reached, never "too late". A takeover of an abandoned
    attempt goes on with the intent that was committed first, except that an abort replaces a
    completion: it ends in COMPLETED all the same if S3 has the object. An expiry replaces nothing
    and comes to nothing before the deadline.

    Raises:
        WrongPhaseError: it ended in another way than ``intent`` asks for.
        ChecksumMismatchError: it FAILED because its bytes were not what was declared.
        TypeNotAllowedError: it FAILED because its first bytes were not of the declared type.
        UploadExpiredError: completion was asked for after the deadline.
        ChecksumConflictError: another checksum was declared before.
        HeldError: abort was asked for, and the upload is on hold.

    """
    if not upload.is_open:
        return _ended(upload, intent)
    if intent is Intent.ABORT and upload.hold is not None:
        raise HeldError
    if upload.is_leased or upload.awaits_hashing:
        return Busy()
    if upload.phase is not Phase.ASSEMBLING:
        if intent is Intent.COMPLETE and upload.ran_out:
            raise UploadExpiredError
        if intent is Intent.EXPIRE and not upload.ran_out:
            return Busy()
    committed = upload.intent or intent
    is_replaced = committed is Intent.COMPLETE and intent is Intent.ABORT
    return Seal(
        phase=after(upload.phase, Event.SEAL),
        intent=intent if is_replaced else committed,
        attempt=upload.attempt + 1,
        checksum=upload.checksum or checksum,
        declared=_merge(upload, declared),
    )


def _ended(upload: Upload, intent: Intent) -> Ended:
    match intent:
        case Intent.COMPLETE:
            wanted = Phase.COMPLETED
        case Intent.ABORT | Intent.EXPIRE:
            wanted = Phase.FAILED
        case _:
            assert_never(intent)
    if intent is Intent.COMPLETE and upload.reason == Reason.CHECKSUM_MISMATCH:
        raise ChecksumMismatchError("The object's sha256 was not the declared one.")
    if intent is Intent.COMPLETE and upload.reason == Reason.TYPE_MISMATCH:
        raise type_mismatch(upload)
    if upload.phase is not wanted:
        raise WrongPhaseError(phase=upload.phase, event=intent, reason=upload.reason)
    return Ended(upload.phase)


def type_mismatch(upload: Upload) -> TypeNotAllowedError:
    """Build the refusal of an upload that FAILED because of its type."""
    found = upload.detected_type or file_types.UNKNOWN
    return file_types.contradiction(upload.file_type, found, by="what was uploaded")


def _merge(upload: Upload, declared: Declared) -> Declared:
    """Add what complete declares to what init declared; both kinds may stand side by side."""
    before = Declared(upload.declared_sha256, upload.declared_root)
    if (declared.sha256 and before.sha256 and declared.sha256 != before.sha256) or (
        declared.root and before.root and declared.root != before.root
    ):
        raise ChecksumConflictError
    return Declared(before.sha256 or declared.sha256, before.root or declared.root)


def take_for_hashing(upload: Upload) -> Seal | None:
    """Decide whether a worker should read the object now; ``None``: it awaits no (more) hashing."""
    if not upload.awaits_hashing or upload.is_leased or upload.erasing_since is not None:
        return None
    return seal_as_it_is(upload, Intent.COMPLETE)


def seal_as_it_is(upload: Upload, intent: Intent) -> Seal:
    """Begin an attempt of our own accord: nobody declares anything with it."""
    return Seal(
        phase=after(upload.phase, Event.SEAL),
        intent=intent,
        attempt=upload.attempt + 1,
        checksum=upload.checksum,
        declared=Declared(upload.declared_sha256, upload.declared_root),
    )
