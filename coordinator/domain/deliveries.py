"""Deliveries: an event on its way to one sink, and what follows from how an attempt went."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from coordinator.domain import cursors
from coordinator.domain.events import Recorded
from coordinator.domain.retries import backoff
from coordinator.domain.sinks import is_name

MAX_ATTEMPTS: Final = 12  # over about a day

# Longer than any attempt takes: whoever began one has ended it, or is dead, when another begins.
LEASE: Final = timedelta(seconds=60)
SEND_SECONDS: Final = 15.0

_FIRST: Final = timedelta(seconds=5)
_MOST: Final = timedelta(hours=6)
_FACTOR: Final = 3.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"  # due, being sent, or waiting for the next attempt
    DELIVERED = "delivered"  # the sink has confirmed it
    DEAD = "dead"  # out of attempts, or not wanted; an operator may have it tried again


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is ours to make, and nobody else's for :data:`LEASE`."""

    event: Recorded
    sink: str
    attempt: int  # fences older ones
    made_before: int  # attempts before an operator had it tried again


class Fault(msgspec.Struct, frozen=True):
    """Why an attempt failed: a stable code, and whether trying again makes no sense."""

    code: str
    is_final: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What to write down after an attempt."""

    state: State
    error: str | None = None
    pause: timedelta = timedelta(0)


def decide(claimed: Claimed, fault: Fault | None, *, random: float) -> Outcome:
    """Say what follows from an attempt that went well or did not; ``random`` is in [0, 1)."""
    attempt = claimed.attempt - claimed.made_before
    if fault is None:
        return Outcome(state=State.DELIVERED)
    if fault.is_final or attempt >= MAX_ATTEMPTS:
        return Outcome(state=State.DEAD, error=fault.code)
    pause = backoff(attempt, first=_FIRST, factor=_FACTOR, most=_MOST, random=random)
    return Outcome(state=State.WAITING, error=fault.code, pause=pause)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``deliveries`` with what operators want to know of its event."""

    event_id: UUID
    sink: str
    type: str
    upload_id: UUID
    state: State
    attempt: int
    last_error: str | None
    next_at: datetime
    created_at: datetime
    delivered_at: datetime | None

    @property
    def place(self) -> "Place":
        """Where it stands in a list."""
        return Place(self.created_at, self.event_id, self.sink)


class Place(msgspec.Struct, frozen=True):
    """The place after a row in a list, newest first."""

    created_at: datetime
    event_id: UUID
    sink: str

    def encode(self) -> str:
        """Spell it as a cursor."""
        micros = (self.created_at - _EPOCH) // timedelta(microseconds=1)
        packed = micros.to_bytes(8, "big") + self.event_id.bytes
        return cursors.wrap(packed + self.sink.encode())


def decode_place(text: str) -> Place:
    """Read a cursor back.

    >>> place = Place(datetime(2026, 1, 2, tzinfo=UTC), UUID(int=7), "hook")
    >>> decode_place(place.encode()) == place
    True

    Raises:
        InvalidFieldError: it is none of ours.

    """
    packed = cursors.unwrap(text)
    try:
        micros = timedelta(microseconds=int.from_bytes(packed[:8], "big"))
        place = Place(_EPOCH + micros, UUID(bytes=packed[8:24]), packed[24:].decode("ascii"))
    except (OverflowError, ValueError):
        raise cursors.not_ours() from None
    if not is_name(place.sink):
        raise cursors.not_ours()
    return place
