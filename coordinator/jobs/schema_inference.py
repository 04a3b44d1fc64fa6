"""Infers a JSON Schema from rows, as long as they have so many names as a table may have."""

from typing import Any, Final

import msgspec
from genson import SchemaBuilder

from coordinator.jobs.pieces import Piece
from coordinator.jobs.rows import NotRowsError, Row, rows
from coordinator.jobs.schema_columns import as_it_looks, only_text

# A schema of more would say nothing about the table, and take memory without bound.
MOST_NAMES: Final = 20_000

# Deeper rows are left out: genson calls itself at each step, and Python ends that at 1,000.
_DEEPEST: Final = 64
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

# Names within names that were seen; ``None`` stands for the items of an array.
_Names = dict[str | None, Any]


class Inferred(msgspec.Struct, frozen=True):
    """A schema, and how many rows it was inferred from. Without one, there were too many names."""

    schema: dict[str, Any] | None
    rows: int


def infer(piece: Piece, most_rows: int) -> Inferred:
    """Infer a schema that the first ``most_rows`` good rows of a piece fulfil."""
    is_text = piece.detected.format in {"csv", "tsv"}
    builder, names, count = _builder(), _Names(), 0
    room = MOST_NAMES
    try:
        for row in rows(piece):
            if not isinstance(row, Row):
                continue
            value = row.value
            if is_text:
                value = {name: as_it_looks(text) for name, text in value.items()}
            try:
                room -= _new_names(names, value, _DEEPEST)
            except _TooDeepError:
                continue
            if room < 0:
                return Inferred(None, count)
            builder.add_object(value)
            count += 1
            if count == most_rows:
                break
    except NotRowsError:
        pass  # whoever validates the rows finds it again, and says so
    return Inferred(builder.to_schema(), count)


def merged(found: list[Inferred], *, is_text: bool) -> Inferred:
    """Put schemas together into one that all their rows fulfil. ``is_text`` says it is csv."""
    count = sum(each.rows for each in found)
    builder = _builder()
    for each in found:
        if each.schema is None:
            return Inferred(None, count)
        builder.add_schema(each.schema)
    schema = builder.to_schema()
    if len(schema.get("properties", ())) > MOST_NAMES:
        return Inferred(None, count)
    return Inferred(only_text(schema) if is_text else schema, count)


def _builder() -> SchemaBuilder:
    builder = SchemaBuilder(schema_uri=_DIALECT)
    builder.add_schema({"type": "object"})
    return builder


class _TooDeepError(Exception):
    pass


def _new_names(names: _Names, value: Any, depth: int) -> int:
    """Take the names of a value in, and return how many were new."""
    if not depth:
        raise _TooDeepError
    new = 0
    for name, child in (
        value.items() if isinstance(value, dict) else ((None, each) for each in value)
    ):
        below = names.get(name)
        if below is None:
            below = names[name] = {}
            new += 1
        if isinstance(child, (dict, list)):
            new += _new_names(below, child, depth - 1)
    return new
