"""The arithmetic of rate limits: what it lets through, what it refuses, how rates are spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.limits import (
    Admission,
    Charge,
    Mode,
    Rate,
    RouteClass,
    admit,
    parse_rates,
)

_T0 = 1_790_000_000_000_000  # a time of 2026, in microseconds

rates = st.builds(
    Rate,
    count=st.integers(1, 10_000),
    seconds=st.sampled_from([1, 60, 3_600]),
    burst=st.integers(1, 50),
)


def _passing(rate: Rate, pauses_us: list[int]) -> list[int]:
    """Let requests come after these pauses; return when each came that passed."""
    now, arrival, passed = _T0, 0, []
    for pause in pauses_us:
        now += pause
        admission = admit([arrival], [Charge(rate)], now)
        if not admission.wait_us:
            arrival = now + admission.backlogs_us[0]
            passed.append(now)
    return passed


@given(rates, st.lists(st.integers(0, 5_000_000), min_size=1, max_size=60))
def test_no_while_lets_more_through_than_rate_and_burst(rate: Rate, pauses_us: list[int]) -> None:
    """Between any two that passed: the burst, and one for each interval of the plain rate."""
    passed = _passing(rate, pauses_us)

    for first, began in enumerate(passed):
        for last, ended in enumerate(passed[first:], start=first):
            allowed = rate.burst + (ended - began) // rate.span_us(1)
            assert last - first + 1 <= allowed


@given(rates, st.integers(0, 3_000))
def test_whoever_waits_as_told_is_let_through(rate: Rate, too_early_us: int) -> None:
    """At the very microsecond, and not before."""
    used_up = _T0 + rate.tolerance_us
    refused = admit([used_up], [Charge(rate)], _T0)
    again = _T0 + refused.wait_us

    assert admit([used_up], [Charge(rate)], again).wait_us == 0
    early = min(too_early_us, refused.wait_us)
    assert admit([used_up], [Charge(rate)], again - early).wait_us == early


@given(rates, rates)
def test_a_bucket_that_refuses_leaves_the_others_as_they_were(one: Rate, other: Rate) -> None:
    """All or nothing: a request that is not answered costs nobody anything."""
    used_up = _T0 + other.tolerance_us

    both = admit([0, used_up], [Charge(one), Charge(other)], _T0)

    assert both == Admission((0, other.span_us(1)), (0, other.tolerance_us))


@given(rates, st.integers(0, 100))
def test_what_is_left_fits_and_not_one_more(rate: Rate, taken: int) -> None:
    """Clients that count on ``r`` and ``t`` of the answer are not disappointed."""
    backlog = min(rate.span_us(taken), rate.tolerance_us)
    left = rate.left(backlog)

    assert left == 0 or admit([_T0 + backlog], [Charge(rate, left)], _T0).wait_us == 0
    if left < rate.burst:
        more = admit([_T0 + backlog], [Charge(rate, left + 1)], _T0)
        assert more.wait_us == rate.next_in_us(backlog) > 0
    else:
        assert rate.next_in_us(backlog) == 0


def test_looking_costs_nothing_and_owing_is_never_refused() -> None:
    """Debts are paid off at the plain rate before anything else passes."""
    rate = Rate(1, 1, 2)
    look, owe = Charge(rate, mode=Mode.LOOK), Charge(rate, mode=Mode.OWE)

    assert admit([0], [look], _T0) == Admission((0,), (0,))
    assert admit([_T0 + 2_000_000], [owe], _T0) == Admission((0,), (3_000_000,))
    assert admit([_T0 + 3_000_000], [look], _T0) == Admission((2_000_000,), (3_000_000,))


def test_a_clock_that_went_back_locks_nobody_out_for_long() -> None:
    """After a failover to a Redis whose clock is a day behind: as if the bucket were used up."""
    rate = Rate(10, 1, 5)

    assert admit([_T0 + 86_400_000_000], [Charge(rate)], _T0) == Admission((100_000,), (500_000,))


def test_a_rate_that_is_no_whole_number_of_microseconds_is_rounded_down() -> None:
    """Three a second are never four, not even in a year."""
    assert [Rate(3, 1, 9).span_us(cost) for cost in (1, 2, 3)] == [333_334, 666_667, 1_000_000]


def test_settings_spell_rates_and_leave_out_what_stays() -> None:
    """A class that is not named keeps its default; one that is off has none."""
    defaults = parse_rates("open=20/s:100 sign=50/s:500 read=2/m:5")

    assert parse_rates(" sign=off  open=1/h:1 ", defaults) == {
        RouteClass.OPEN: Rate(1, 3_600, 1),
        RouteClass.READ: Rate(2, 60, 5),
    }
    assert parse_rates("", defaults) == defaults
    assert parse_rates("off", defaults) == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("open", "has no rate"),
        ("open=20", "has no rate"),
        ("open=20/s", "has no rate"),
        ("open=20/d:1", "has no rate"),
        ("open=20/s:-1", "has no rate"),
        ("open=2.5/s:1", "has no rate"),
        ("open=20/s:100,sign=1/s:1", "has no rate"),
        ("open=²/s:1", "has no rate"),
        ("open=0/s:1", "lets nothing through"),
        ("open=1/s:0", "lets nothing through"),
        ("open=10001/s:1", "faster than 10,000"),
        ("off open=1/s:1", "'off' is no class of requests: open, sign"),
        ("write=1/s:1", "'write' is no class of requests: open, sign"),
        ("refused=1/s:1", "'refused' is no class of requests: open, sign"),
    ],
)
def test_what_is_spelled_wrong_is_named(text: str, complaint: str) -> None:
    """An operator reads what to write instead."""
    with pytest.raises(ValueError, match=complaint):
        parse_rates(text, parse_rates("open=1/s:1 sign=1/s:1"))
