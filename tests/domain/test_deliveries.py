"""What follows from an attempt to deliver: when it is tried again, and when no more."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.deliveries import (
    LEASE,
    MAX_ATTEMPTS,
    SEND_SECONDS,
    Claimed,
    Fault,
    Outcome,
    State,
    decide,
)
from coordinator.domain.events import Recorded
from tests.domain.builders import START

_EVENT = Recorded(
    id=UUID(int=1),
    type="upload.failed",
    source="/x",
    upload_id=UUID(int=7),
    body={},
    created_at=START,
)
_BUSY = Fault("http-503")


def _claimed(attempt: int, made_before: int = 0) -> Claimed:
    return Claimed(event=_EVENT, sink="hook", attempt=attempt, made_before=made_before)


def test_a_day_of_attempts_then_it_is_dead() -> None:
    """Seconds at first, hours in the end."""
    outcomes = [decide(_claimed(n), _BUSY, random=0.5) for n in range(1, MAX_ATTEMPTS + 1)]
    pauses = [each.pause for each in outcomes[:-1]]

    assert {each.state for each in outcomes[:-1]} == {State.WAITING}
    assert outcomes[-1] == Outcome(state=State.DEAD, error="http-503")
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=5), timedelta(hours=6))
    assert timedelta(hours=20) < sum(pauses, timedelta()) < timedelta(hours=28)


@given(st.integers(1, MAX_ATTEMPTS - 1), st.floats(0, 1, exclude_max=True))
def test_pauses_are_spread_about_what_they_are(attempt: int, random: float) -> None:
    """So that those who failed together do not come back together."""
    middle = decide(_claimed(attempt), _BUSY, random=0.5).pause
    pause = decide(_claimed(attempt), _BUSY, random=random).pause

    assert middle * 0.74 <= pause <= middle * 1.26


def test_what_went_well_is_delivered_and_what_is_final_is_dead() -> None:
    """At the first attempt and at the last."""
    for attempt in (1, MAX_ATTEMPTS, MAX_ATTEMPTS + 1):
        claimed = _claimed(attempt)
        assert decide(claimed, None, random=0.0) == Outcome(state=State.DELIVERED)
        gone = Fault("http-410", is_final=True)
        assert decide(claimed, gone, random=0.0) == Outcome(state=State.DEAD, error="http-410")
    assert decide(_claimed(MAX_ATTEMPTS + 1), _BUSY, random=0.0).state is State.DEAD


def test_after_an_operators_retry_it_is_tried_as_often_as_a_new_one() -> None:
    """Though attempts go on being counted."""
    first = decide(_claimed(MAX_ATTEMPTS + 1, made_before=MAX_ATTEMPTS), _BUSY, random=0.5)
    last = decide(_claimed(2 * MAX_ATTEMPTS, made_before=MAX_ATTEMPTS), _BUSY, random=0.5)

    assert first == Outcome(state=State.WAITING, error="http-503", pause=timedelta(seconds=5))
    assert last.state is State.DEAD


def test_a_lease_outlasts_every_attempt() -> None:
    """Else two would send at once."""
    assert timedelta(seconds=2 * SEND_SECONDS) < LEASE
