"""Counts of uploads over time: what can be asked, and where an answer's next page begins."""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from coordinator.domain import cursors
from coordinator.domain.errors import InvalidFieldError

MOST_DAYS: Final = 400
MOST_DAYS_BY_HOUR: Final = 8
_USUAL: Final = timedelta(days=29)  # with the last day: 30
_TWO_DAYS: Final = timedelta(days=1)  # with the last day
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class By(StrEnum):
    """What the counts are of, each."""

    USER = "userId"
    FILE_TYPE = "fileType"
    TENANT = "tenant"


class Every(StrEnum):
    """How long a period is. Hours, days and months are UTC's."""

    HOUR = "hour"  # counted from what is there now: an erased upload is not
    DAY = "day"
    MONTH = "month"


class Span(msgspec.Struct, frozen=True):
    """Days, the first and the last included."""

    first: date
    last: date


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """The uploads of one key in one period: by the day they were opened, and the day they ended."""

    key: str
    period: str  # 2026-11-23T09, 2026-11-23, 2026-11
    opened: int
    completed: int
    failed: int
    bytes: int  # of the completed ones


def span(first: str | None, last: str | None, *, today: date, every: Every = Every.DAY) -> Span:
    """Read the days that are asked for; without any, the last thirty, or two hour by hour.

    >>> span("2026-01-01", None, today=date(2026, 1, 3))
    Span(first=datetime.date(2026, 1, 1), last=datetime.date(2026, 1, 3))

    Raises:
        InvalidFieldError: one is no day, or they are too many or in the wrong order.

    """
    end = today if last is None else _day("to", last)
    usual, most = (_TWO_DAYS, MOST_DAYS_BY_HOUR) if every is Every.HOUR else (_USUAL, MOST_DAYS)
    begin = _before(end, usual) if first is None else _day("from", first)
    if begin > end:
        raise InvalidFieldError("from", "The first day is after the last.")
    if (end - begin).days >= most:
        raise InvalidFieldError("from", f"Ask for at most {most} days at once.")
    return Span(begin, end)


def _day(field: str, text: str) -> date:
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise InvalidFieldError(field, "Write the day as YYYY-MM-DD.")


def _before(end: date, usual: timedelta) -> date:
    return date.min if end - date.min < usual else end - usual


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
