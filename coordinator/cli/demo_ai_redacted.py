"""Compares a redacted copy with its original, row by row, for ``coordinator demo-ai``.

Where a value was planted its kind must stand instead; everything else must be what it was: byte for
byte where nothing was planted, value for value in rows that were written anew.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import msgspec

from coordinator.cli.demo_ai_report import Measure, measured

_PLACEHOLDER: Final = re.compile(rb"<([A-Z][A-Z0-9_]+)>")
_EXAMPLES: Final = 5

Planted = tuple[str, str]  # kind and value


class Compared(msgspec.Struct, kw_only=True):
    """What came of it."""

    measures: list[Measure]
    rows: int = 0
    left: int = 0  # planted values that are still there
    changed: int = 0  # rows that hold something else than they should
    examples: list[str] = []  # of these
    texts: dict[int, str] = {}  # of rows that are objects with an id, as they should be


def compare(original: Path, redacted: Path, plants: Mapping[int, Sequence[Planted]]) -> Compared:
    """Go through both."""
    told = Compared(measures=[], examples=[], texts={})
    told.measures = measured(_rows(original, redacted, plants, told))
    return told


def _rows(
    original: Path, redacted: Path, plants: Mapping[int, Sequence[Planted]], told: Compared
) -> Iterator[tuple[Counter[str], Counter[str]]]:
    with original.open("rb") as before, redacted.open("rb") as after:
        for line, copy in zip_longest(before, after, fillvalue=b""):
            if not line.strip():
                told.changed += copy != line
                continue
            row = told.rows
            told.rows += 1
            here = plants.get(row, ())
            told.left += sum(value.encode() in copy for _, value in here)
            _judge(told, row, line, copy, here)
            yield Counter(kind for kind, _ in here), _kinds(copy)


def _kinds(copy: bytes) -> Counter[str]:
    return Counter(kind.decode().lower() for kind in _PLACEHOLDER.findall(copy))


def _judge(told: Compared, row: int, line: bytes, copy: bytes, here: Sequence[Planted]) -> None:
    value = _parsed(line)
    if value is not None:
        value = _replaced(value, here)
        told.texts[value.get("id", row)] = value["text"]
    if here and value is not None:
        is_right = _parsed(copy) == value
    else:
        for kind, planted in here:
            line = line.replace(planted.encode(), f"<{kind.upper()}>".encode())
        is_right = copy == line
    if not is_right:
        told.changed += 1
        if len(told.examples) < _EXAMPLES:
            told.examples.append(f"row {row}: planted {list(here)}, the copy has {copy!r:.600}")


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _replaced(value: Any, here: Sequence[Planted]) -> Any:
    """Put the kind of each planted value in its place."""
    if isinstance(value, str):
        for kind, planted in here:
            value = value.replace(planted, f"<{kind.upper()}>")
        return value
    if isinstance(value, dict):
        return {name: _replaced(each, here) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, here) for each in value]
    return value
