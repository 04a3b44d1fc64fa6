"""Events: what happened to uploads and jobs, as CloudEvents 1.0 for whoever listens.

Rule: an id is made from what happened, so that the same fact has the same id however often it is
written or sent; no event holds a secret or an address that could be used without credentials.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from coordinator.domain import ids
from coordinator.domain.jobs import Job, State
from coordinator.domain.uploads import Upload

MEDIA_TYPE: Final = "application/cloudevents+json"
PREFIX: Final = "coordinator."  # of types, as they are sent

# What is sent of a job's result: more than that is read over the API.
_MEMBERS: Final = 32
_TEXT: Final = 200


class Type(StrEnum):
    """What can be told."""

    UPLOAD_COMPLETED = "upload.completed"  # the object is proven; its jobs follow
    UPLOAD_FAILED = "upload.failed"  # aborted, expired, or not what was declared
    UPLOAD_ERASED = "upload.erased"  # nothing is left of it: whoever copied it should know
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"  # out of attempts
    JOB_SKIPPED = "job.skipped"  # a job that it needs did not let it run
    JOB_CANCELLED = "job.cancelled"


_OF_STATES: Final[Mapping[State, Type]] = {
    State.SUCCEEDED: Type.JOB_SUCCEEDED,
    State.FAILED: Type.JOB_FAILED,
    State.SKIPPED: Type.JOB_SKIPPED,
    State.CANCELLED: Type.JOB_CANCELLED,
}
OF_JOBS: Final = tuple(_OF_STATES.values())


class JobData(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A job that ended."""

    id: str
    kind: str
    status: str
    attempt: int
    error_code: str | None = None
    result: dict[str, Any] | None = None  # the short values of it


class Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The ``data`` of an event. Of an erased upload nothing but ids is known."""

    upload_id: str
    tenant: str
    user_id: str | None = None
    file_name: str | None = None
    file_type: str | None = None
    size: int | None = None
    purpose: str | None = None
    object: str | None = None  # s3://bucket/key
    region: str | None = None
    root: str | None = None
    sha256: str | None = None  # of the whole file, where it is proven
    reason: str | None = None
    job: JobData | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, not written down yet. Its time is when it was, by the database's clock."""

    id: UUID
    type: Type
    tenant: str
    upload_id: UUID
    data: Data


def upload_completed(upload: Upload, *, root: str, sha256: bytes | None) -> Event:
    """Tell that S3 is proven to hold what the manifest says."""
    digest = None if sha256 is None else sha256.hex()
    data = msgspec.structs.replace(_about(upload), root=root, sha256=digest)
    return _event(Type.UPLOAD_COMPLETED, upload, data)


def upload_failed(upload: Upload, *, reason: str) -> Event:
    """Tell that nothing will come of it. There is no object, so no address either."""
    data = msgspec.structs.replace(_about(upload), object=None, region=None, reason=reason)
    return _event(Type.UPLOAD_FAILED, upload, data)


def upload_erased(upload: Upload) -> Event:
    """Tell that it is erased, by its id alone."""
    return _event(
        Type.UPLOAD_ERASED, upload, Data(upload_id=upload.public_id, tenant=upload.tenant)
    )


def job_ended(upload: Upload, job: Job) -> Event:
    """Tell how a job ended. ``job`` is its row as it is now; it may run again, and end again."""
    told = JobData(
        id=ids.encode(ids.JOB, job.id),
        kind=job.kind,
        status=job.state,
        attempt=job.attempt,
        error_code=job.error_code,
        result=None if job.result is None else summary(job.result),
    )
    ended = "" if job.finished_at is None else job.finished_at.astimezone(UTC).isoformat()
    data = msgspec.structs.replace(_about(upload), job=told)
    return _event(_OF_STATES[job.state], upload, data, str(job.id), job.attempt, ended)


def summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the short values of a result: numbers and words, and counts one level below.

    >>> summary({"status": "done", "rows": 3, "counts": {"email": 2}, "samples": ["a"]})
    {'status': 'done', 'rows': 3, 'counts': {'email': 2}}
    """
    kept = {name: value for name, value in result.items() if _is_short(value)}
    counts = {
        name: numbers
        for name, value in result.items()
        if isinstance(value, Mapping)
        and (numbers := {key: each for key, each in value.items() if _is_number(each)})
        and len(numbers) <= _MEMBERS
    }
    members = {name: (kept | counts)[name] for name in result if name in kept or name in counts}
    return dict(list(members.items())[:_MEMBERS])


def _is_short(value: object) -> bool:
    return value is None or _is_number(value) or (isinstance(value, str) and len(value) <= _TEXT)


def _is_number(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _about(upload: Upload) -> Data:
    purpose = upload.metadata.get("purpose")
    return Data(
        upload_id=upload.public_id,
        tenant=upload.tenant,
        user_id=upload.user_id,
        file_name=upload.file_name,
        file_type=upload.file_type,
        size=upload.size_bytes,
        purpose=purpose if isinstance(purpose, str) else None,
        object=f"s3://{upload.bucket}/{upload.object_key}",
        region=upload.region,
    )


def _event(kind: Type, upload: Upload, data: Data, *what: str | int) -> Event:
    canonical = msgspec.json.encode([kind, str(upload.id), *what])
    return Event(
        id=UUID(bytes=hashlib.sha256(canonical).digest()[:16]),
        type=kind,
        tenant=upload.tenant,
        upload_id=upload.id,
        data=data,
    )


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is sent: CloudEvents 1.0, JSON in structured mode."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: dict[str, Any]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``events``: a fact that was written down."""

    id: UUID
    type: str
    source: str
    upload_id: UUID
    body: dict[str, Any]
    created_at: datetime
    trace: str | None = None  # of the request or job that made it happen

    @property
    def public_id(self) -> str:
        """The id by which receivers tell that they have it already."""
        return ids.encode(ids.EVENT, self.id)

    @property
    def subject(self) -> str:
        """The upload that it is about."""
        return ids.encode(ids.UPLOAD, self.upload_id)

    def encoded(self) -> bytes:
        """Write it as it is sent, the same bytes each time."""
        at = self.created_at.astimezone(UTC).isoformat(timespec="milliseconds")
        envelope = Envelope(
            id=self.public_id,
            source=self.source,
            type=PREFIX + self.type,
            subject=self.subject,
            time=at.replace("+00:00", "Z"),
            data=self.body,
        )
        return msgspec.json.encode(envelope)
