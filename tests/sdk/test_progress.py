"""Counting and rates."""

import pytest

from coordinator.cli.view import pace
from coordinator.sdk.progress import Meter, Progress, Rate


def test_a_rate_is_of_the_last_ten_seconds() -> None:
    """A network that has become slow is slow, however fast it was."""
    rate = Rate()
    for second in range(60):
        rate.note(1_000 * second if second < 30 else 29_000 + 10 * (second - 29), now=float(second))

    assert rate.bytes_per_second == pytest.approx(10.0)


def test_there_is_no_rate_from_nothing_or_from_one_moment() -> None:
    """The first look must not divide by zero or promise wonders."""
    rate = Rate()
    assert rate.bytes_per_second == 0.0
    rate.note(5, now=1.0)
    rate.note(50, now=1.1)

    assert rate.bytes_per_second == 0.0


def test_bytes_of_a_failed_attempt_are_taken_back() -> None:
    """A chunk that is sent twice counts once: 100% is never passed."""
    meter = Meter(bytes_total=30, chunks_total=3, upload_id="upl_x")
    meter.kept(10)
    meter.moved(1, 7)
    meter.failed(1)
    meter.moved(1, 10)
    meter.arrived(1)
    meter.moved(2, 4)

    look = meter.look()

    assert (look.bytes_done, look.chunks_done, look.stage) == (24, 2, "sending")
    assert look.upload_id == "upl_x"


def test_remaining_time_is_what_is_left_at_this_rate() -> None:
    """Without a rate there is none, and an empty file is done."""
    going = Progress(stage="sending", bytes_done=40, bytes_total=100, bytes_per_second=20.0)

    assert (going.remaining_s, going.fraction) == (3.0, 0.4)
    assert pace(going) == "20 bytes/s, 0:00:03 left"
    assert Progress(stage="sending", bytes_done=0, bytes_total=0).remaining_s is None
    assert Progress(stage="sending", bytes_done=0, bytes_total=0).fraction == 1.0


def test_an_almost_endless_upload_can_be_shown() -> None:
    """48 TiB at a byte a second is more than a timedelta holds."""
    slow = Progress(stage="sending", bytes_done=0, bytes_total=2**60, bytes_per_second=1e-9)

    assert pace(slow).endswith("more than a day left")
