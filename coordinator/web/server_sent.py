"""Server-sent events of an upload: their kinds, their wire format, and the ids to go on from.

Rule: an id says what its reader has seen, and so all that a reconnect needs: whatever differs from
it is sent, nothing else. No server keeps anything for a reader that is gone.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, get_args
from uuid import UUID

import msgspec

from coordinator.adapters.standings import Standing
from coordinator.domain import ids
from coordinator.domain.jobs import PipelineStatus, status_of
from coordinator.domain.phases import Phase
from coordinator.operations.look_at_upload import Sight
from coordinator.web.shapes import Answer, JobAnswer, ProgressAnswer

Kind = Literal["progress", "phase", "jobs"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

# The first thing sent: how long a reader that lost the connection waits, in milliseconds.
RETRY: Final = b"retry: 1000\n\n"
HEARTBEAT: Final = b": nothing new\n\n"

_HASH_BYTES: Final = 6


class PhaseAnswer(Answer):
    """Where the upload stands; `reason` says why it FAILED."""

    status: Phase
    reason: str | None
    generation: int


class JobsStanding(Answer):
    """The jobs of an upload, taken together; none before COMPLETED."""

    status: PipelineStatus
    jobs: list[JobAnswer]

    @classmethod
    def of(cls, standing: Standing) -> "JobsStanding":
        """Convert what was read."""
        return cls(
            status=status_of(job.state for job in standing.jobs),
            jobs=[
                JobAnswer(job_id=ids.encode(ids.JOB, job.id), kind=job.kind, status=job.state)
                for job in standing.jobs
            ],
        )


class Seen(NamedTuple):
    """Short hashes of what a reader has seen last of each kind; empty: nothing."""

    progress: str = ""
    phase: str = ""
    jobs: str = ""

    @classmethod
    def read(cls, event_id: str | None) -> "Seen":
        """Read a ``Last-Event-ID``; what is no id of ours has seen nothing."""
        parts = (event_id or "").split(".")
        return cls(*parts) if len(parts) == len(KINDS) else cls()

    @property
    def event_id(self) -> str:
        """The id of the event after which this has been seen."""
        return ".".join(self)


def news(upload_id: UUID, sight: Sight, seen: Seen) -> tuple[bytes, Seen]:
    """Return what differs from ``seen`` as events, and what has been seen after them."""
    events = []
    for kind, data in _states(sight):
        digest = _hash(upload_id, data)
        if getattr(seen, kind) != digest:
            seen = seen._replace(**{kind: digest})
            events.append(b"id: %b\nevent: %b\ndata: %b\n\n" % _encoded(seen.event_id, kind, data))
    return b"".join(events), seen


def _states(sight: Sight) -> Iterator[tuple[Kind, bytes]]:
    standing = sight.standing
    states: Mapping[Kind, Answer | None] = {
        "progress": None
        if sight.uploaded is None
        else ProgressAnswer.of(sight.uploaded, standing.total),
        "phase": PhaseAnswer(
            status=standing.phase, reason=standing.reason, generation=standing.generation
        ),
        "jobs": JobsStanding.of(standing),
    }
    for kind in KINDS:
        if (state := states[kind]) is not None:
            yield kind, msgspec.json.encode(state)


def _hash(upload_id: UUID, data: bytes) -> str:
    """Hash one state of one upload: an id of another upload has seen nothing of this one."""
    digest = hashlib.sha256(upload_id.bytes + data).digest()[:_HASH_BYTES]
    return base64.urlsafe_b64encode(digest).decode()


def _encoded(event_id: str, kind: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    return event_id.encode(), kind.encode(), data
