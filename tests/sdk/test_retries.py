"""Waits between tries."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.sdk.errors import StoppedError
from coordinator.sdk.retries import BASE_S, CAP_S, MAX_RETRY_AFTER_S, Patience, delay_s
from coordinator.sdk.retries import parse_retry_after as parse


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_wait_is_at_least_half_of_what_doubling_asks_and_never_above_the_cap(
    attempt: int, chance: float
) -> None:
    """Jitter must not make a wait vanish, nor a long outage make it endless."""
    full = min(CAP_S, BASE_S * 2 ** min(attempt, 20))

    assert full / 2 <= delay_s(attempt, chance=chance) <= full


def test_a_server_that_says_when_is_not_asked_earlier() -> None:
    """Retry-After is the lower bound of the wait."""
    assert delay_s(0, chance=0.0, at_least=7.0) == 7.0


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0.0),
        ("0", 0.0),
        (" 5 ", 5.0),
        ("86400", MAX_RETRY_AFTER_S),
        ("-5", 0.0),
        ("1e9", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("²", 0.0),
        ("Thu, 01 Jan 2026 12:00:20 GMT", 20.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 01 Jan 2027 12:00:00 GMT", MAX_RETRY_AFTER_S),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_nonsense_as_nothing(
    value: str | None, seconds: float
) -> None:
    """A proxy's strange header must not break or stall an upload."""
    assert parse(value, now=NOW) == seconds


def test_patience_ends_at_once_when_the_next_try_would_come_too_late() -> None:
    """Whoever has no time left is not made to wait for nothing."""
    assert not Patience(0.0, threading.Event()).pause()


def test_a_stop_ends_a_wait() -> None:
    """Ctrl-C and cancellation must not wait for a backoff."""
    stop = threading.Event()
    stop.set()

    with pytest.raises(StoppedError):
        Patience(60.0, stop).pause(at_least=30.0)
