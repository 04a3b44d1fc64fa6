"""Every refusal that a caller can act on: a stable code and facts that are safe to show.

Rule: one level of inheritance, codes are never renamed, facts hold no secret. Statuses are the
web's business (``web/problems.py``); ``docs/errors.md`` is generated from this list.
"""

from collections.abc import Sequence
from typing import ClassVar


class CoordinatorError(Exception):
    """A refusal. ``facts`` become members of the problem document, in camelCase."""

    code: ClassVar[str]

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class MalformedJsonError(CoordinatorError):
    """The body is no JSON, is not UTF-8, or nests too deeply."""

    code = "malformed-json"


class InvalidFieldError(CoordinatorError):
    """A field has a value that cannot be used. ``field`` names it as a path into the body."""

    code = "invalid-field"

    def __init__(self, field: str, detail: str, **facts: object) -> None:
        super().__init__(detail, field=field, **facts)


class BytesNotAcceptedError(CoordinatorError):
    """Chunk bytes were sent to the service; they go straight to S3."""

    code = "bytes-not-accepted"

    def __init__(self) -> None:
        super().__init__(
            "Chunk bytes never pass through this service. Ask POST /api/upload/urls for the "
            "chunk's URL, PUT the bytes there, then report the chunk without `data`.",
            field="data",
            use="/api/upload/urls",
        )


class ChunkSizeError(CoordinatorError):
    """The wished chunk size breaks a limit of S3."""

    code = "chunk-size-not-possible"

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail, field="chunkSize", **facts)


class FileTooLargeError(CoordinatorError):
    """The file is larger than S3 can hold as one object."""

    code = "file-too-large"

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail, field="fileSize", **facts)


class UnauthenticatedError(CoordinatorError):
    """No key or token was given, or it is unknown, expired or revoked."""

    code = "unauthenticated"

    def __init__(self, detail: str, *, was: tuple[str, str, str] | None = None) -> None:
        super().__init__(detail)
        self.was = was  # actor, tenant and user of a key that has ended: for the audit, never told


class ForbiddenError(CoordinatorError):
    """The caller is known but lacks a scope that the request needs."""

    code = "scope-missing"


class RoleMissingError(CoordinatorError):
    """The caller is known but has none of the roles that the route needs."""

    code = "role-missing"

    def __init__(self, roles: Sequence[str]) -> None:
        super().__init__(f"This needs the role {' or '.join(roles)}.", roles=list(roles))


class RateLimitedError(CoordinatorError):
    """Too many requests in a short time; ``Retry-After`` says when the next is answered."""

    code = "rate-limited"

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(
            f"Too many requests. Try again in {retry_after_seconds} s.",
            retry_after_seconds=retry_after_seconds,
        )


class QuotaExceededError(CoordinatorError):
    """The tenant has used up what it may use; ``quota`` names which, with its limit and its use."""

    code = "quota-exceeded"

    def __init__(self, quota: str, *, limit: int, used: int) -> None:
        super().__init__(
            f"The tenant's quota {quota} is used up ({used} of {limit}).",
            quota=quota,
            limit=limit,
            used=used,
        )


class TypeNotAllowedError(CoordinatorError):
    """The tenant may not upload files of this type."""

    code = "type-not-allowed"

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail, field="fileType", **facts)


class HeldError(CoordinatorError):
    """The upload is under a legal hold: nothing of it is removed until the hold is lifted."""

    code = "held"

    def __init__(self) -> None:
        super().__init__("The upload is on hold. Lift the hold first.", field="uploadId")


class KeyNotFoundError(CoordinatorError):
    """There is no live API key with this id in the tenant."""

    code = "key-not-found"

    def __init__(self) -> None:
        super().__init__("There is no live key with this id.", field="keyId")


class KeyRotatedError(CoordinatorError):
    """The key was rotated before; ``replacedBy`` is the key that took its place."""

    code = "key-rotated"

    def __init__(self, replaced_by: str) -> None:
        super().__init__(
            "This key was rotated before. Rotate the one that replaced it.",
            field="keyId",
            replaced_by=replaced_by,
        )


class JobNotFoundError(CoordinatorError):
    """There is no such job, or it is somebody else's: the two look the same."""

    code = "job-not-found"

    def __init__(self) -> None:
        super().__init__("There is no job with this id.", field="jobId")


class JobNotFailedError(CoordinatorError):
    """Only a job that failed or was cancelled can be run again."""

    code = "job-not-failed"

    def __init__(self, state: str) -> None:
        super().__init__(f"The job is {state}, it has not failed.", state=state)


class JobOverError(CoordinatorError):
    """The job has ended, so it cannot be cancelled."""

    code = "job-over"

    def __init__(self, state: str) -> None:
        super().__init__(f"The job is {state}: there is nothing to cancel.", state=state)


class DownloadBlockedError(CoordinatorError):
    """The upload asked for a scan, and what it found, or does not know yet, keeps the object in."""

    code = "download-blocked"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The object cannot be downloaded: {reason}.", reason=reason)


class ErasureNotFoundError(CoordinatorError):
    """There is no such erasure in the tenant."""

    code = "erasure-not-found"

    def __init__(self) -> None:
        super().__init__("There is no erasure with this id.", field="erasureId")


class NoCardError(CoordinatorError):
    """The upload has no card: its job ``generate_metadata`` has not succeeded, or made none."""

    code = "no-card"

    def __init__(self) -> None:
        super().__init__("The upload has no card yet; `jobs` says why.", field="uploadId")


class SearchNotAvailableError(CoordinatorError):
    """Nothing can be searched here: no model is set, or the database has no index of vectors."""

    code = "search-not-available"


class DeliveryNotFoundError(CoordinatorError):
    """The tenant has no such event, or the sink did not want it."""

    code = "delivery-not-found"

    def __init__(self) -> None:
        super().__init__("There is no delivery of this event to this sink.", field="eventId")


class DeliveryNotDeadError(CoordinatorError):
    """Only a delivery that is given up can be tried again."""

    code = "delivery-not-dead"

    def __init__(self, state: str) -> None:
        super().__init__(f"The delivery is {state}, it is not dead.", state=state)


class UploadNotFoundError(CoordinatorError):
    """There is no such upload, or it is somebody else's: the two look the same."""

    code = "upload-not-found"

    def __init__(self) -> None:
        super().__init__("There is no upload with this id.", field="uploadId")


class WrongPhaseError(CoordinatorError):
    """The upload's phase does not allow this."""

    code = "wrong-phase"

    def __init__(self, *, phase: str, event: str, reason: str | None = None) -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(
            f"Not possible while the upload is {phase}{because}: {event}.",
            phase=phase,
            reason=reason,
        )


class UploadExpiredError(CoordinatorError):
    """The upload's deadline passed before it was completed."""

    code = "upload-expired"

    def __init__(self) -> None:
        super().__init__("The upload ran out of time. Open it again with POST /api/upload/init.")


class DigestConflictError(CoordinatorError):
    """A chunk was signed before with another sha256; the first one is final."""

    code = "digest-conflict"

    def __init__(self, chunks: Sequence[int]) -> None:
        super().__init__(
            f"{len(chunks)} chunk(s) were signed with another sha256 before. The first is final: "
            "a changed file is a new upload.",
            field="chunks",
            chunks=list(chunks),
        )


class PartsMissingError(CoordinatorError):
    """Completion was asked for, but S3 does not hold every chunk."""

    code = "parts-missing"

    def __init__(self, missing: Sequence[int]) -> None:
        self.missing = list(missing)
        super().__init__(
            f"S3 does not hold {len(missing)} chunk(s). Upload them, then complete again.",
            missing_chunks=self.missing,
        )


class ChecksumMismatchError(CoordinatorError):
    """What was uploaded is not what was declared."""

    code = "checksum-mismatch"

    def __init__(self, detail: str, chunks: Sequence[int] = ()) -> None:
        self.missing = list(chunks)  # S3 does not hold them rightly
        super().__init__(detail, chunks=self.missing)


class ChecksumConflictError(CoordinatorError):
    """Complete declared another checksum than init did."""

    code = "checksum-conflict"

    def __init__(self) -> None:
        super().__init__(
            "Another checksum was declared before for this upload; a changed file is a new upload.",
            field="checksum",
        )


class KeyTakenError(CoordinatorError):
    """Another object stands at the upload's key; it is neither taken for ours nor replaced."""

    code = "key-taken"

    def __init__(self, key: str) -> None:
        super().__init__(
            "Another object stands where this upload's belongs. All chunks are kept: remove that "
            "object and complete again, or abort the upload.",
            key=key,
        )


class IdempotencyConflictError(CoordinatorError):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency-conflict"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used with another body within the last 24 hours. "
            "Use a new key for a new upload.",
            field="Idempotency-Key",
        )


class ClockOffError(CoordinatorError):
    """S3 refuses what this host signs because the host's clock is wrong."""

    code = "clock-off"

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(f"{detail} The operator must set the service's clock right.", **facts)


class StoreRefusedError(CoordinatorError):
    """S3 refused a request of ours: a permission or a setting of the bucket is wrong."""

    code = "store-refused"


class UnavailableError(CoordinatorError):
    """Postgres, Redis or S3 does not answer; the same request will work later."""

    code = "unavailable"
