"""AI jobs: ids, states, and what becomes of jobs when others end. Pipelines: ``pipelines.py``."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from coordinator.domain.kinds import Kind


class State(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"  # for jobs that it needs
    QUEUED = "queued"  # may run as soon as a worker is free
    RUNNING = "running"  # an attempt holds it
    SUCCEEDED = "succeeded"  # final: the result stands
    FAILED = "failed"  # out of attempts, the error code stands; an operator may have it run again
    SKIPPED = "skipped"  # will not run: the error code says what became of a job that it needs
    CANCELLED = "cancelled"  # somebody did not want it any more


ENDED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.SKIPPED, State.CANCELLED})

PREDECESSOR_FAILED: Final = "predecessor-failed"
PREDECESSOR_CANCELLED: Final = "predecessor-cancelled"
# Of jobs that may run after all once what they need has.
REVIVABLE: Final = frozenset({PREDECESSOR_FAILED, PREDECESSOR_CANCELLED})


class PipelineStatus(StrEnum):
    """What a pipeline's jobs come to, taken together."""

    NONE = "none"
    INITIATED = "initiated"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


_COUNTED_IN_SECONDS: Final = 120


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``jobs``."""

    id: UUID
    upload_id: UUID
    kind: Kind
    parameters: dict[str, Any]
    needs: tuple[UUID, ...]
    state: State
    attempt: int
    result: dict[str, Any] | None
    error_code: str | None
    blocks: str | None  # why no job that needs this one may run
    cancelled_by: str | None  # an attempt may still be running
    done: int | None  # of `total`: bytes or rows, as the job counts
    total: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Due(NamedTuple):
    """What the end of a job brings for those that wait."""

    queued: list[UUID]
    skipped: list[tuple[UUID, str]]


def job_id(upload_id: UUID, kind: Kind, parameters: Mapping[str, Any]) -> UUID:
    """Make the id from what the job is, so that it exists once for ever."""
    canonical = msgspec.json.encode([str(upload_id), kind, dict(parameters)], order="deterministic")
    return UUID(bytes=hashlib.sha256(canonical).digest()[:16])


def due(jobs: Sequence[Job]) -> Due:
    """Say which waiting jobs of one upload may run now, and which never will, with the reason."""
    found = Due([], [])
    states = {job.id: (job.state, _reason(job)) for job in jobs}
    changed = True
    while changed:
        changed = False
        for job in jobs:
            if states[job.id][0] is not State.WAITING:
                continue
            needed = [states[each] for each in job.needs if each in states]
            reason = next((why for _, why in needed if why), None)
            if reason is not None:
                found.skipped.append((job.id, reason))
                states[job.id] = (State.SKIPPED, reason)
                changed = True
            elif all(state is State.SUCCEEDED for state, _ in needed):
                found.queued.append(job.id)
                states[job.id] = (State.QUEUED, None)
    return found


def needed_by(job: Job, others: Iterable[Job]) -> list[Job]:
    """Return the jobs that have succeeded of those that ``job`` needs, and of what these need.

    Nothing that may still come, and nothing that ran beside them: what a job finds must depend on
    no moment.
    """
    by_id = {each.id: each for each in others}
    wanted, found = list(job.needs), dict[UUID, Job]()
    while wanted:
        each = by_id.get(wanted.pop())
        if each is not None and each.state is State.SUCCEEDED and each.id not in found:
            found[each.id] = each
            wanted += each.needs
    return list(found.values())


def _reason(job: Job) -> str | None:
    """Why a job that needs this one will not run; ``None``: it may still."""
    match job.state:
        case State.SUCCEEDED:
            return job.blocks
        case State.FAILED:
            return PREDECESSOR_FAILED
        case State.CANCELLED:
            return PREDECESSOR_CANCELLED
        case State.SKIPPED:
            return job.error_code
        case _:
            return None


def revived(jobs: Sequence[Job], again: UUID) -> list[UUID]:
    """Return the skipped jobs that wait again because ``again``, which they need, runs again."""
    awaited, found = {again}, []
    changed = True
    while changed:
        changed = False
        for job in jobs:
            is_skipped = job.state is State.SKIPPED and job.error_code in REVIVABLE
            if is_skipped and job.id not in awaited and awaited.intersection(job.needs):
                awaited.add(job.id)
                found.append(job.id)
                changed = True
    return found


def status_of(states: Iterable[State]) -> PipelineStatus:
    """Sum up a pipeline.

    >>> status_of([State.SUCCEEDED, State.QUEUED])
    <PipelineStatus.RUNNING: 'running'>
    >>> status_of([State.SUCCEEDED, State.SKIPPED])
    <PipelineStatus.SUCCEEDED: 'succeeded'>
    """
    seen = set(states)
    if not seen:
        return PipelineStatus.NONE
    if State.FAILED in seen:
        return PipelineStatus.FAILED
    if seen <= ENDED:
        is_cancelled = State.CANCELLED in seen
        return PipelineStatus.CANCELLED if is_cancelled else PipelineStatus.SUCCEEDED
    has_begun = bool(seen - {State.QUEUED, State.WAITING})
    return PipelineStatus.RUNNING if has_begun else PipelineStatus.INITIATED


def estimate(seconds: float | None) -> str | None:
    """Say in words how long jobs may take; ``None`` while nothing was measured.

    >>> estimate(10.0), estimate(600.0), estimate(0.1), estimate(None)
    ('about 10 seconds', 'about 10 minutes', 'about 1 second', None)
    """
    if seconds is None:
        return None
    rounded = max(1, round(seconds))
    if rounded < _COUNTED_IN_SECONDS:
        return f"about {rounded} second{'s' if rounded != 1 else ''}"
    return f"about {round(rounded / 60)} minutes"
