"""Trainings that were handed to somebody else: what is handed over, and where they stand."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

_MAX_DETAIL: Final = 300


class TrainingStatus(StrEnum):
    """Where a training stands, in our words."""

    SUBMITTED = "submitted"  # handed over
    RUNNING = "running"
    SUCCEEDED = "succeeded"  # final
    FAILED = "failed"  # final
    CANCELLED = "cancelled"  # final
    UNKNOWN = "unknown"  # final: the trainer does not know it, or nobody asks any more


FINAL: Final = frozenset(
    {
        TrainingStatus.SUCCEEDED,
        TrainingStatus.FAILED,
        TrainingStatus.CANCELLED,
        TrainingStatus.UNKNOWN,
    }
)

# What trainers say, and what we say of it; whatever else they say, it goes on.
OF_SAGEMAKER: Final[Mapping[str, TrainingStatus]] = {
    "InProgress": TrainingStatus.RUNNING,
    "Stopping": TrainingStatus.RUNNING,
    "Completed": TrainingStatus.SUCCEEDED,
    "Failed": TrainingStatus.FAILED,
    "Stopped": TrainingStatus.CANCELLED,
}
OF_OPENAI: Final[Mapping[str, TrainingStatus]] = {
    "validating_files": TrainingStatus.SUBMITTED,
    "queued": TrainingStatus.SUBMITTED,
    "running": TrainingStatus.RUNNING,
    "paused": TrainingStatus.RUNNING,
    "succeeded": TrainingStatus.SUCCEEDED,
    "failed": TrainingStatus.FAILED,
    "cancelled": TrainingStatus.CANCELLED,
}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a trainer says of a training."""

    external_id: str | None
    status: TrainingStatus
    model: str | None = None  # what came of it: a name, or an address
    detail: str | None = None  # the trainer's own words


class Shard(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One file of the data set, as a trainer finds it."""

    address: str  # s3://bucket/key
    size: int
    sha256: str
    root: str
    rows: int


class Split(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Rows for one purpose: to train on, to validate or to test with."""

    rows: int
    shards: tuple[Shard, ...]


class Callback(msgspec.Struct, frozen=True):
    """Where a trainer may tell how it goes, and by what it proves that it is the one."""

    url: str
    token: str

    __repr__ = object.__repr__


class Handoff(msgspec.Struct, frozen=True, kw_only=True):
    """What is handed over. The same job hands over the same, however often it is tried."""

    job_id: str
    upload_id: str
    format: str
    manifest: str  # its address: what the data set is, and how it came about
    splits: Mapping[str, Split]
    model: str | None = None
    hyperparameters: Mapping[str, Any] = {}
    callback: Callback | None = None

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(each.rows for each in self.splits.values())


def moved(before: TrainingStatus, told: TrainingStatus) -> TrainingStatus:
    """Return where a training stands after it was told: a final word is the last.

    >>> moved(TrainingStatus.SUBMITTED, TrainingStatus.RUNNING)
    <TrainingStatus.RUNNING: 'running'>
    >>> moved(TrainingStatus.FAILED, TrainingStatus.RUNNING)
    <TrainingStatus.FAILED: 'failed'>
    """
    if before in FINAL or (told is TrainingStatus.SUBMITTED and before is TrainingStatus.RUNNING):
        return before
    return told


def shortened(text: str | None) -> str | None:
    """Cut what a trainer says to a line that fits into a result."""
    return None if text is None else " ".join(text.split())[:_MAX_DETAIL]
