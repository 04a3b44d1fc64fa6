"""Counts of uploads over time: what can be asked, and where an answer's next page begins."""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from coordinator.domain import cursors
from coordinator.domain.errors import InvalidFieldError

MOST_DAYS: Final = 400
_USUAL: Final = timedelta(days=29)  # with the last day: 30
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class By(StrEnum):
    """What the counts are of, each."""

    USER = "userId"
    FILE_TYPE = "fileType"
    TENANT = "tenant"


class Every(StrEnum):
    """How long a period is. Days and months are UTC's."""

    DAY = "day"
    MONTH = "month"


class Span(msgspec.Struct, frozen=True):
    """Days, the first and the last included."""

    first: date
    last: date


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """The uploads of one key in one period: by the day they were opened, and the day they ended."""

    key: str
    period: str  # 2026-11-23, 2026-11
    opened: int
    completed: int
    failed: int
    bytes: int  # of the completed ones


def span(first: str | None, last: str | None, *, today: date) -> Span:
    """Read the days that are asked for; without any, the last thirty.

    >>> span("2026-01-01", None, today=date(2026, 1, 3))
    Span(first=datetime.date(2026, 1, 1), last=datetime.date(2026, 1, 3))

    Raises:
        InvalidFieldError: one is no day, or they are too many or in the wrong order.

    """
    end = today if last is None else _day("to", last)
    begin = _before(end) if first is None else _day("from", first)
    if begin > end:
        raise InvalidFieldError("from", "The first day is after the last.")
    if (end - begin).days >= MOST_DAYS:
        raise InvalidFieldError("from", f"Ask for at most {MOST_DAYS} days at once.")
    return Span(begin, end)


def _day(field: str, text: str) -> date:
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise InvalidFieldError(field, "Write the day as YYYY-MM-DD.")


def _before(end: date) -> date:
    return date.min if end - date.min < _USUAL else end - _USUAL


def encode(row: Count) -> str:
    """Spell the place after a row, in the order by period and key."""
    return cursors.wrap(f"{row.period} {row.key}".encode())


def decode(cursor: str) -> tuple[str, str]:
    """Read period and key back; a key may have spaces in it, or nothing.

    >>> decode(encode(Count(key="a b", period="2026-01", opened=0, completed=0, failed=0, bytes=0)))
    ('2026-01', 'a b')

    Raises:
        InvalidFieldError: it is none of ours.

    """
    try:
        text = cursors.unwrap(cursor).decode()
    except UnicodeDecodeError:
        raise cursors.not_ours() from None
    period, space, key = text.partition(" ")
    if not space or "\0" in text:
        raise cursors.not_ours()
    return period, key
