"""The one type that holds all values of a column, and rows as Arrow arrays of such types."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from coordinator.jobs import training_notes as kinds
from coordinator.jobs.training_notes import Notes, Place

# Of what has more columns, counting those inside columns, lists and objects become JSON text.
_MOST_LEAVES: Final = 2000

# The column of what has too many columns to tell them apart.
WHOLE_ROW: Final = "json"

_PLAIN: Final = {
    "boolean": pa.bool_(),
    "int64": pa.int64(),
    "uint64": pa.uint64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "json": pa.string(),
}
_INTEGERS: Final = kinds.INTEGER | kinds.LONG | kinds.NEGATIVE
_NUMBERS: Final = kinds.INTEGER | kinds.NEGATIVE | kinds.FLOAT

_encode: Final = msgspec.json.encode


class Type(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A column's type, as manifests show it."""

    type: str
    """``boolean int64 uint64 float64 string json list struct``; ``json`` is text that is JSON."""

    name: str | None = None
    items: "Type | None" = None
    fields: tuple["Type", ...] = ()

    from_text: bool = False
    """Whether the numbers are text in the source."""

    def inner(self) -> Iterator["Type"]:
        """Yield the types that it is made of."""
        if self.items is not None:
            yield self.items
        yield from self.fields

    @property
    def has_json(self) -> bool:
        """Whether some of it is JSON text."""
        return self.type == "json" or any(part.has_json for part in self.inner())

    @property
    def leaves(self) -> int:
        """How many columns parquet makes of it."""
        return sum(part.leaves for part in self.inner()) or 1

    def in_arrow(self) -> pa.DataType:
        """Return Arrow's type."""
        if self.type == "list":
            assert self.items is not None
            return pa.list_(self.items.in_arrow())
        if self.type == "struct":
            return pa.struct([(part.name, part.in_arrow()) for part in self.fields])
        return _PLAIN[self.type]


class Layout(msgspec.Struct, frozen=True):
    """The columns of a data set. ``is_row``: the one column holds whole rows."""

    columns: tuple[Type, ...]
    is_row: bool = False

    @property
    def schema(self) -> pa.Schema:
        """Return Arrow's schema."""
        return pa.schema([(kind.name, kind.in_arrow()) for kind in self.columns])

    @property
    def leaves(self) -> int:
        """How many columns parquet makes of it."""
        return sum(kind.leaves for kind in self.columns)

    def batch(self, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
        """Lay rows out by column. What a row does not have is null."""
        if self.is_row:
            arrays = [_array(self.columns[0], rows)]
        else:
            names = [kind.name or "" for kind in self.columns]
            columns = [[row.get(name) for row in rows] for name in names]
            arrays = list(map(_array, self.columns, columns))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def layout_of(notes: Notes) -> Layout:
    """Choose the columns' types."""
    if notes.is_crowded:
        return Layout((Type("json", WHOLE_ROW),), is_row=True)
    found = tuple(
        Type("json", name) if column.is_crowded else _type(column.top, name)
        for name, column in notes.columns.items()
    )
    if sum(kind.leaves for kind in found) > _MOST_LEAVES:
        found = tuple(Type("json", each.name) if any(each.inner()) else each for each in found)
    return Layout(found)


def _array(kind: Type, values: Sequence[Any]) -> pa.Array:
    if kind.from_text:
        return pa.array(values, pa.string()).cast(kind.in_arrow())
    if kind.has_json:
        values = [_fitted(kind, value) for value in values]
    return pa.array(values, kind.in_arrow())


def _type(place: Place, name: str | None) -> Type:
    bits = place.bits & ~kinds.WRITTEN
    if place.bits & kinds.WRITTEN:
        number = _number(bits)
        return Type(number or "string", name, from_text=number is not None)
    if bits in {0, kinds.TEXT}:
        return Type("string", name)
    if bits == kinds.BOOLEAN:
        return Type("boolean", name)
    if bits == kinds.LIST:
        assert place.items is not None
        return Type("list", name, items=_type(place.items, None))
    if bits == kinds.OBJECT and place.fields:
        return Type("struct", name, fields=tuple(_type(*each) for each in _members(place)))
    return Type(_number(bits) or "json", name)


def _members(place: Place) -> Iterator[tuple[Place, str]]:
    for name, member in place.fields.items():
        yield member, name


def _number(bits: int) -> str | None:
    """Choose a type that holds all the numbers exactly, if there is one and all are numbers."""
    if not bits:
        return None
    if not bits & ~_INTEGERS:
        return "int64"
    if not bits & ~(kinds.INTEGER | kinds.LONG | kinds.UNSIGNED):
        return "uint64"
    return None if bits & ~_NUMBERS else "float64"


def _fitted(kind: Type, value: Any) -> Any:
    """Turn what is to be JSON text into it."""
    if value is None:
        return None
    if kind.type == "json":
        return _encode(value).decode()
    if kind.items is not None:
        return [_fitted(kind.items, item) for item in value]
    if kind.fields:
        return {part.name: _fitted(part, value.get(part.name)) for part in kind.fields}
    return value
