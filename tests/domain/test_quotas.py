"""Whether one more upload fits into what a tenant may use."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.errors import QuotaExceededError
from coordinator.domain.quotas import Quotas, Standing, Usage, check_reserved, check_size

_LIMITS = st.none() | st.integers(0, 20)


def _usage(**used: int) -> Usage:
    usual: dict[str, Any] = {"open_uploads": 1, "stored_bytes": 1, "day_bytes": 1}
    return Usage(**(usual | used), day=date(2026, 1, 31))


@pytest.mark.parametrize(
    ("limit", "quota"),
    [
        ("open_uploads", "openUploads"),
        ("bytes_a_day", "bytesADay"),
        ("stored_bytes", "storedBytes"),
    ],
)
def test_the_last_that_fits_is_let_in_and_the_next_is_told_why(limit: str, quota: str) -> None:
    """What is used is told as it was before: it is the caller's to free."""
    counted = {"bytes_a_day": "day_bytes"}.get(limit, limit)
    size = 1 if limit == "open_uploads" else 3
    limits: dict[str, Any] = {limit: 10}
    check_reserved(Standing(Quotas(**limits), _usage(**{counted: 10})), 3)

    with pytest.raises(QuotaExceededError) as refusal:
        check_reserved(Standing(Quotas(**limits), _usage(**{counted: 11})), 3)

    assert refusal.value.facts == {"quota": quota, "limit": 10, "used": 11 - size}


@given(most_open=_LIMITS, a_day=_LIMITS, stored=_LIMITS, sizes=st.lists(st.integers(0, 9)))
def test_what_was_let_in_is_never_more_than_may_be(
    most_open: int | None, a_day: int | None, stored: int | None, sizes: list[int]
) -> None:
    """Whatever is asked for in whatever order, and what fits is not refused."""
    quotas = Quotas(open_uploads=most_open, bytes_a_day=a_day, stored_bytes=stored)
    let_in: list[int] = []
    for size in sizes:
        wished = [*let_in, size]
        total = sum(wished)
        usage = _usage(open_uploads=len(wished), stored_bytes=total, day_bytes=total)
        fits = (most_open is None or len(wished) <= most_open) and all(
            limit is None or total <= limit for limit in (a_day, stored)
        )
        try:
            check_reserved(Standing(quotas, usage), size)
        except QuotaExceededError:
            assert not fits
        else:
            assert fits
            let_in = wished


def test_an_empty_file_takes_no_bytes_of_what_is_used_up() -> None:
    """The limit was lowered below what is stored: only what takes bytes is refused."""
    standing = Standing(Quotas(stored_bytes=10, bytes_a_day=10), _usage(stored_bytes=11))

    check_reserved(standing, 0)
    with pytest.raises(QuotaExceededError):
        check_reserved(standing, 1)


def test_a_file_may_be_as_large_as_the_largest_and_no_larger() -> None:
    """Without a limit any size is right."""
    check_size(Quotas(), 2**60)
    check_size(Quotas(largest_file=7), 7)

    with pytest.raises(QuotaExceededError) as refusal:
        check_size(Quotas(largest_file=7), 8)

    assert refusal.value.facts == {"quota": "largestFile", "limit": 7, "used": 8}
