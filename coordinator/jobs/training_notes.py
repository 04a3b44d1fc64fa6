"""Notes what kinds of values each column holds, and spells rows so that equal ones look equal.

Rule: what is noted depends on the set of rows alone, not on their order nor on how the file was
cut. So notes only grow, and where a limit is passed, it is passed for ever.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

# Kinds of values, as bits. _WRITTEN: all of them are text that may say a number.
BOOLEAN, INTEGER, LONG, UNSIGNED, HUGE, NEGATIVE = 1, 2, 4, 8, 16, 32
FLOAT, TEXT, LIST, OBJECT, DEEP, WRITTEN = 64, 128, 256, 512, 1024, 2048

# Of what has more columns, or longer names, columns are not told apart.
_MOST_COLUMNS: Final = 1000
_MOST_PLACES: Final = 100
_LONGEST_NAME: Final = 500

# So deep go types; and so deep rows.
_DEEPEST_TYPE: Final = 16
_DEEPEST: Final = 100

# In a row; only those that are written in more bytes than this can have more.
_MOST_VALUES: Final = 500_000
_LARGE: Final = 2 * _MOST_VALUES

# A double holds all integers up to here, and all decimals of so many digits.
_EXACT: Final = 2**53
_DIGITS: Final = 15
_WRITTEN_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_WRITTEN_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class UnfitRowError(ValueError):
    """A row is like none that is trained on. ``reason``: ``too-deep too-many-values``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Place(msgspec.Struct):
    """Kinds of values seen in one place of a column, and the places inside it."""

    bits: int = 0
    items: "Place | None" = None
    fields: dict[str, "Place"] = {}
    """In the order in which the names came."""


class Column(msgspec.Struct):
    """One column. ``is_crowded``: it has more places inside than types should have."""

    top: Place = msgspec.field(default_factory=Place)
    places: int = 0
    is_crowded: bool = False

    def items(self, place: Place) -> Place:
        """Find where the items of lists are noted."""
        if place.items is None:
            found = self._new("")
            if self.is_crowded:
                return found
            place.items = found
        return place.items

    def member(self, place: Place, name: str) -> Place:
        """Find where the members of this name are noted."""
        found = place.fields.get(name)
        if found is None:
            found = self._new(name)
            if not self.is_crowded:
                place.fields[name] = found
        return found

    def add(self, more: "Column") -> None:
        """Note what another column has, too."""
        self._add(self.top, more.top)
        if more.is_crowded:
            self._crowd()

    def _add(self, ours: Place, theirs: Place) -> None:
        ours.bits |= theirs.bits
        if theirs.items is not None:
            self._add(self.items(ours), theirs.items)
        for name, place in theirs.fields.items():
            self._add(self.member(ours, name), place)

    def _new(self, name: str) -> Place:
        """Make a place. In a crowded column it is forgotten with the value."""
        self.places += 1
        if self.places > _MOST_PLACES or len(name) > _LONGEST_NAME:
            self._crowd()
        return Place()

    def _crowd(self) -> None:
        self.is_crowded = True
        self.top = Place(self.top.bits)


class Notes(msgspec.Struct):
    """The columns, by name and in the order in which the names came."""

    columns: dict[str, Column] = {}
    is_crowded: bool = False
    """There are more columns than tables should have, and no more is noted."""

    def note(self, row: dict[str, Any]) -> bytes:
        """Note a row's values, and return its canonical spelling; ``row`` is used up.

        Names are sorted, a null member is as if it were not there, and an integer is the same
        with a fraction of zero and without.

        Raises:
            UnfitRowError: it is nested deeper than 100 levels or holds over 500,000 values.

        """
        if len(_encode(row)) > _LARGE:
            _check_values(row)
        nulls = []
        columns = self.columns
        for name, value in row.items():
            column = columns.get(name) or self.column(name)
            if type(value) is str:  # as most values of most tables are
                column.top.bits |= TEXT
                continue
            found = _noted(column.top, value, column, 1)
            if found is None:
                nulls.append(name)
            elif found is not value:
                row[name] = found
        for name in nulls:
            del row[name]
        return _encode(row)

    def note_written(self, row: dict[str, str | None]) -> bytes:
        """Do the same for a row of text in which numbers are text, too."""
        for name, text in row.items():
            top = self.column(name).top
            if text is None:
                top.bits |= WRITTEN
            elif not top.bits & TEXT:
                top.bits |= WRITTEN | _written(text)
        return _encode({name: text for name, text in row.items() if text is not None})

    def add(self, more: "Notes") -> None:
        """Note what the rows behind these hold."""
        if more.is_crowded:
            self._crowd()
        for name, column in more.columns.items():
            self.column(name).add(column)

    def column(self, name: str) -> Column:
        """Find a column."""
        found = self.columns.get(name)
        if found is None:
            found = Column()
            if len(self.columns) >= _MOST_COLUMNS or len(name) > _LONGEST_NAME:
                self._crowd()
            if not self.is_crowded:
                self.columns[name] = found
        return found

    def _crowd(self) -> None:
        self.is_crowded = True
        self.columns = {}


def _noted(place: Place, value: Any, column: Column, depth: int) -> Any:
    """Note a value, and return it in its canonical form."""
    kind = type(value)
    if kind is str:
        place.bits |= TEXT
    elif kind is int:
        place.bits |= INTEGER if 0 <= value <= _EXACT else _wide(value)
    elif kind is float:
        place.bits |= FLOAT
        return int(value) if value.is_integer() and abs(value) < 2**63 else value
    elif kind is bool:
        place.bits |= BOOLEAN
    elif value is not None:
        place.bits |= LIST if kind is list else OBJECT
        if depth == _DEEPEST_TYPE:
            place.bits |= DEEP
            _check_depth(value, _DEEPEST - depth)
        elif kind is list:
            _note_items(place, value, column, depth + 1)
        else:
            _note_members(place, value, column, depth + 1)
    return value


def _note_items(place: Place, values: list[Any], column: Column, depth: int) -> None:
    items = column.items(place)
    for position, value in enumerate(values):
        found = _noted(items, value, column, depth)
        if found is not value:
            values[position] = found


def _note_members(place: Place, values: dict[str, Any], column: Column, depth: int) -> None:
    nulls = []
    for name, value in values.items():
        found = _noted(column.member(place, name), value, column, depth)
        if found is None:
            nulls.append(name)
        elif found is not value:
            values[name] = found
    for name in nulls:
        del values[name]


def _check_depth(value: Any, left: int) -> None:
    level = [value]
    while level:
        if not left:
            raise UnfitRowError("too-deep")
        left -= 1
        level = [item for items in map(_inside, level) for item in items if _is_nested(item)]


def _check_values(row: dict[str, Any]) -> None:
    """Refuse what takes hundreds of megabytes as Python objects, and as much again as text."""
    count = 0
    level: list[Any] = [row]
    while level:
        count += sum(map(len, level))
        if count > _MOST_VALUES:
            raise UnfitRowError("too-many-values")
        level = [item for items in map(_inside, level) for item in items if _is_nested(item)]


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if type(value) is dict else value


def _is_nested(value: Any) -> bool:
    return type(value) in {list, dict}


def _wide(value: int) -> int:
    """Say what integer type is needed; the range of a double's integers comes first."""
    sign = NEGATIVE if value < 0 else 0
    if abs(value) <= _EXACT:
        return INTEGER | sign
    if -(2**63) <= value < 2**63:
        return LONG | sign
    return UNSIGNED if 0 <= value < 2**64 else HUGE


def _written(text: str) -> int:
    """Say what kind of number a text says; none if another text would say the same integer."""
    if _WRITTEN_INTEGER.fullmatch(text):
        bits = _wide(int(text))
        return TEXT if bits & (UNSIGNED | HUGE) else bits
    if _WRITTEN_DECIMAL.fullmatch(text) and len(text) <= _DIGITS:
        return FLOAT
    return TEXT
