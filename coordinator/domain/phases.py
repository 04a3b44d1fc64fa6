"""The life of an upload, as a table.

Rule: a phase changes nowhere else. Whatever a transition needs to know is an argument;
whatever it causes is done by the caller. ``sign_chunks()`` in the migrations repeats the one
transition that signing makes, and a test holds the two together.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from coordinator.domain.errors import WrongPhaseError


class Phase(StrEnum):
    """Where an upload stands."""

    INIT = "INIT"  # planned; nothing is signed yet
    UPLOADING = "UPLOADING"  # chunks may be signed and reported
    ASSEMBLING = "ASSEMBLING"  # frozen: somebody drives it to an end under a lease
    COMPLETED = "COMPLETED"  # final: S3 holds what the manifest says, jobs are queued
    FAILED = "FAILED"  # final: the row says why


class Event(StrEnum):
    """What can happen to an upload."""

    SIGN = "sign chunks"
    SEAL = "complete or abort"
    REOPEN = "ask for chunks again"
    FINISH = "finish"
    GIVE_UP = "give up"


class Intent(StrEnum):
    """What an ASSEMBLING upload is driven towards."""

    COMPLETE = "complete"
    ABORT = "abort"
    EXPIRE = "expire"


class Reason(StrEnum):
    """Why an upload FAILED."""

    ABORTED = "aborted"  # its owner gave it up
    EXPIRED = "expired"  # its deadline passed before it was completed
    CHECKSUM_MISMATCH = "checksum-mismatch"  # the whole object's sha256 was not the declared one
    TYPE_MISMATCH = "type-mismatch"  # the object's first bytes are not of the declared type


OPEN_PHASES: Final = frozenset({Phase.INIT, Phase.UPLOADING, Phase.ASSEMBLING})

TRANSITIONS: Final[Mapping[tuple[Phase, Event], Phase]] = {
    (Phase.INIT, Event.SIGN): Phase.UPLOADING,
    (Phase.UPLOADING, Event.SIGN): Phase.UPLOADING,
    (Phase.INIT, Event.SEAL): Phase.ASSEMBLING,
    (Phase.UPLOADING, Event.SEAL): Phase.ASSEMBLING,
    (Phase.ASSEMBLING, Event.SEAL): Phase.ASSEMBLING,  # a takeover, once the lease is over
    (Phase.ASSEMBLING, Event.REOPEN): Phase.UPLOADING,
    (Phase.ASSEMBLING, Event.FINISH): Phase.COMPLETED,
    **{(phase, Event.GIVE_UP): Phase.FAILED for phase in sorted(OPEN_PHASES)},
}


def after(phase: Phase, event: Event, *, reason: str | None = None) -> Phase:
    """Return the phase that ``event`` leads to.

    >>> after(Phase.UPLOADING, Event.SEAL)
    <Phase.ASSEMBLING: 'ASSEMBLING'>

    Raises:
        WrongPhaseError: ``event`` is not possible in ``phase``.

    """
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise WrongPhaseError(phase=phase, event=event, reason=reason) from None
