"""The table of phases: total, final where it says so, and nowhere a dead end."""

from itertools import product

import pytest

from coordinator.domain.errors import WrongPhaseError
from coordinator.domain.phases import OPEN_PHASES, TRANSITIONS, Event, Phase, after

ALLOWED = {
    Event.SIGN: {Phase.INIT: Phase.UPLOADING, Phase.UPLOADING: Phase.UPLOADING},
    Event.SEAL: {
        Phase.INIT: Phase.ASSEMBLING,
        Phase.UPLOADING: Phase.ASSEMBLING,
        Phase.ASSEMBLING: Phase.ASSEMBLING,
    },
    Event.REOPEN: {Phase.ASSEMBLING: Phase.UPLOADING},
    Event.FINISH: {Phase.ASSEMBLING: Phase.COMPLETED},
    Event.GIVE_UP: {
        Phase.INIT: Phase.FAILED,
        Phase.UPLOADING: Phase.FAILED,
        Phase.ASSEMBLING: Phase.FAILED,
    },
}


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, Event)))
def test_every_event_in_every_phase_is_a_transition_or_a_refusal(
    phase: Phase, event: Event
) -> None:
    """Spelled out a second time, by event, so that a slip in the table is seen."""
    if phase in ALLOWED[event]:
        assert after(phase, event) is ALLOWED[event][phase]
    else:
        with pytest.raises(WrongPhaseError) as refusal:
            after(phase, event, reason="aborted")
        assert refusal.value.facts == {"phase": phase, "reason": "aborted"}


def test_nothing_leaves_a_final_phase() -> None:
    """COMPLETED and FAILED are for ever."""
    left = {phase for phase, _ in TRANSITIONS}

    assert left == OPEN_PHASES == set(Phase) - {Phase.COMPLETED, Phase.FAILED}


def test_every_phase_can_be_reached_from_init() -> None:
    """A phase that nothing leads to would be a mistake in the table."""
    assert _reachable(Phase.INIT) == set(Phase)


@pytest.mark.parametrize("phase", sorted(OPEN_PHASES))
def test_every_open_phase_can_still_end_both_ways(phase: Phase) -> None:
    """No upload can get stuck where neither completion nor abort is possible."""
    assert {Phase.COMPLETED, Phase.FAILED} <= _reachable(phase)


def test_only_assembling_completes() -> None:
    """What was not frozen under a lease cannot become COMPLETED."""
    assert [phase for (phase, _), to in TRANSITIONS.items() if to is Phase.COMPLETED] == [
        Phase.ASSEMBLING
    ]


def _reachable(start: Phase) -> set[Phase]:
    seen: set[Phase] = set()
    waiting = [start]
    while waiting:
        phase = waiting.pop()
        if phase not in seen:
            seen.add(phase)
            waiting += [to for (source, _), to in TRANSITIONS.items() if source is phase]
    return seen
