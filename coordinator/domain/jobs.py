"""The catalogue of AI jobs: kinds, pipelines, ids, states. Order and gates are data."""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from coordinator.domain.errors import InvalidFieldError


class Kind(StrEnum):
    """What a job does."""

    GENERATE_METADATA = "generate_metadata"


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # may run as soon as a worker is free
    RUNNING = "running"  # an attempt holds it
    SUCCEEDED = "succeeded"  # final: the result stands
    FAILED = "failed"  # final: out of attempts, the error code stands


ENDED: Final = frozenset({State.SUCCEEDED, State.FAILED})


class PipelineStatus(StrEnum):
    """What a pipeline's jobs come to, taken together."""

    NONE = "none"
    INITIATED = "initiated"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


# `metadata.purpose` chooses the pipeline; an upload without a purpose gets the first.
PIPELINES: Final[Mapping[str, tuple[Kind, ...]]] = {
    "archive": (Kind.GENERATE_METADATA,),
    "training": (Kind.GENERATE_METADATA,),
    "retrieval": (Kind.GENERATE_METADATA,),
}

MAX_ATTEMPTS: Final = 3

_COUNTED_IN_SECONDS: Final = 120


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``jobs``."""

    id: UUID
    upload_id: UUID
    kind: Kind
    parameters: dict[str, Any]
    state: State
    attempt: int
    result: dict[str, Any] | None
    error_code: str | None


def pipeline_of(metadata: Mapping[str, Any]) -> tuple[Kind, ...]:
    """Return the kinds that ``metadata.purpose`` asks for, in order.

    Raises:
        InvalidFieldError: the purpose is none that is known.

    """
    purpose = metadata.get("purpose", "archive")
    if not isinstance(purpose, str) or purpose not in PIPELINES:
        raise InvalidFieldError(
            "metadata.purpose", f"The purposes are {', '.join(sorted(PIPELINES))}."
        )
    return PIPELINES[purpose]


def job_id(upload_id: UUID, kind: Kind, parameters: Mapping[str, Any]) -> UUID:
    """Make the id from what the job is, so that it exists once for ever."""
    canonical = msgspec.json.encode([str(upload_id), kind, dict(parameters)], order="deterministic")
    return UUID(bytes=hashlib.sha256(canonical).digest()[:16])


def status_of(states: Iterable[State]) -> PipelineStatus:
    """Sum up a pipeline.

    >>> status_of([State.SUCCEEDED, State.QUEUED])
    <PipelineStatus.RUNNING: 'running'>
    """
    seen = set(states)
    if not seen:
        return PipelineStatus.NONE
    if State.FAILED in seen:
        return PipelineStatus.FAILED
    if seen == {State.SUCCEEDED}:
        return PipelineStatus.SUCCEEDED
    return PipelineStatus.INITIATED if seen == {State.QUEUED} else PipelineStatus.RUNNING


def estimate(size_bytes: int, bytes_per_second: float | None) -> str | None:
    """Say in words how long the jobs of a file may take; ``None`` while nothing was measured.

    >>> estimate(10_000_000, 1_000_000.0), estimate(600_000_000, 1_000_000.0), estimate(1, None)
    ('about 10 seconds', 'about 10 minutes', None)
    """
    if not bytes_per_second:
        return None
    seconds = max(1, round(size_bytes / bytes_per_second))
    if seconds < _COUNTED_IN_SECONDS:
        return f"about {seconds} second{'s' if seconds != 1 else ''}"
    return f"about {round(seconds / 60)} minutes"
