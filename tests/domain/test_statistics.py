"""Which days are counted, and where a page ends."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.errors import InvalidFieldError
from coordinator.domain.statistics import MOST_DAYS, Count, Span, decode, encode, span

_TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, Span(date(2026, 10, 25), _TODAY)),
        (None, "2026-03-01", Span(date(2026, 1, 31), date(2026, 3, 1))),
        ("2026-11-23", None, Span(_TODAY, _TODAY)),
        ("2025-10-20", "2026-11-23", Span(date(2025, 10, 20), _TODAY)),
        (None, "0001-01-02", Span(date(1, 1, 1), date(1, 1, 2))),
    ],
)
def test_days_are_thirty_unless_told(first: str | None, last: str | None, expected: Span) -> None:
    """The last day is today, the first 29 days before the last, as far as there are days."""
    assert span(first, last, today=_TODAY) == expected


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        ("2026-11-24", None, "from"),
        ("2026-02-30", None, "from"),
        ("20260201", None, "from"),
        ("2026-W01-1", None, "from"),
        ("٢٠٢٦-01-01", None, "from"),
        (None, "0000-01-01", "to"),
        (None, "", "to"),
        ("2025-10-19", "2026-11-23", "from"),
    ],
)
def test_other_days_are_refused_by_name(first: str | None, last: str | None, field: str) -> None:
    """No spelling that only Python knows; not so many days that an answer takes for ever."""
    with pytest.raises(InvalidFieldError) as refusal:
        span(first, last, today=_TODAY)

    assert refusal.value.facts["field"] == field


def test_the_longest_span_is_400_days() -> None:
    """Both ends are counted."""
    longest = span(str(_TODAY - timedelta(days=MOST_DAYS - 1)), None, today=_TODAY)

    assert (longest.last - longest.first).days + 1 == MOST_DAYS == 400


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=128))
def test_every_key_comes_back_out_of_a_cursor(key: str) -> None:
    """Types and users of issuers may be any text."""
    row = Count(key=key, period="2026-11-23", opened=0, completed=0, failed=0, bytes=0)

    assert decode(encode(row)) == ("2026-11-23", key)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    """Or read as one that PostgreSQL can compare with: it takes no NUL."""
    try:
        period, key = decode(text)
    except InvalidFieldError:
        return
    assert "\0" not in period + key


@pytest.mark.parametrize("packed", ["MjAyNi0xMSAA", "MjAyNi0xMQ==", "_w==", "AAAA" * 501])
def test_a_cursor_with_a_nul_or_without_a_place_is_refused(packed: str) -> None:
    """The interesting cases of the test above, for certain."""
    with pytest.raises(InvalidFieldError):
        decode(packed)
