"""Checks the rows of a piece against a JSON Schema."""

from collections.abc import Callable
from itertools import islice
from typing import Final

import jsonschema_rs
import msgspec

from coordinator.domain.json_schemas import compiled
from coordinator.domain.schema_cost import depth_of
from coordinator.jobs.pieces import Piece
from coordinator.jobs.rows import Broken, NotRowsError, Row, rows
from coordinator.jobs.schema_columns import reader_of

MOST_BAD: Final = 100

_MESSAGE: Final = 200
_POINTER: Final = 200
_ERRORS: Final = 100


class Bad(msgspec.Struct, frozen=True, rename="camel"):
    """A row that is broken or not what the schema wants. It quotes no value of the row."""

    row: int
    """Its place in the file, from 0 on."""

    pointer: str
    """JSON Pointer to the value within the row; at most 200 characters."""

    message: str
    """At most 200 characters."""

    keyword: str | None
    """Of the schema; null where the row is broken."""

    broken: str | None = None
    """A stable code, where the row is broken."""


class Checked(msgspec.Struct, frozen=True):
    """What was found in a piece."""

    valid: int = 0
    invalid: int = 0
    broken: int = 0
    bad: tuple[Bad, ...] = ()  # the first of them, numbered within the piece
    end: tuple[str, str] | None = None  # why no more rows could be read

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.valid + self.invalid + self.broken


def checked(piece: Piece, schema: str) -> Checked:
    """Check each row of a piece. ``schema`` is JSON that ``compiled`` takes."""
    find = _finder(schema, piece.detected.format)
    valid = invalid = broken = 0
    bad: list[Bad] = []
    end = None
    try:
        for row in rows(piece):
            if isinstance(row, Broken):
                found: Bad | None = Bad(row.number, "", row.detail, None, row.reason)
                broken += 1
            else:
                found = find(row)
                if found is None:
                    valid += 1
                    continue
                invalid += 1
            if found and len(bad) < MOST_BAD:
                bad.append(found)
    except NotRowsError as exc:
        end = (exc.reason, exc.detail)
    return Checked(valid, invalid, broken, tuple(bad), end)


def _finder(schema: str, format_: str) -> Callable[[Row], Bad | None]:
    """Return what says what is wrong with a row."""
    validator, deepest = compiled(schema)
    is_valid = validator.is_valid
    is_table = format_ in {"csv", "tsv", "parquet"}
    read = None
    if is_table:
        read = reader_of(msgspec.json.decode(schema), has_nulls=format_ == "parquet")

    def find(row: Row) -> Bad | None:
        value = row.value
        if read is not None:
            read(value)
        if deepest is not None and depth_of(value, deepest + 1) > deepest:
            return _too_deep(row)
        try:
            return None if is_valid(value) else _first(validator, row)
        except (ValueError, RecursionError):
            return _too_deep(row)

    return find


def _too_deep(row: Row) -> Bad:
    return Bad(row.number, "", "The row is nested too deep to be validated.", "depth")


def _first(validator: jsonschema_rs.Validator, row: Row) -> Bad:
    """Say the first thing that is wrong, in the order of places in the row."""
    errors = islice(validator.iter_errors(row.value), _ERRORS)
    error = min(
        errors, key=lambda each: ([str(step) for step in each.instance_path], str(each.schema_path))
    )
    return Bad(
        row=row.number,
        pointer=_pointer(error.instance_path)[:_POINTER],
        message=error.message[:_MESSAGE],
        keyword=error.kind.name,
    )


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
