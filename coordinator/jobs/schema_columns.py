"""Types for columns whose values are only text: read as the schema wants them, or as they look.

An empty field is null, unless the schema says that the column is text and may not be null.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,4000}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")

# What looks like a number to a person: 007 and +49 are names of something.
_PLAIN_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_PLAIN_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})\.[0-9]+(?:[eE][+-]?[0-9]{1,3})?")
_BOOLEANS: Final = {"true": True, "false": False}
_HOPS: Final = 8

Value = Any
Row = dict[str, Value]


def reader_of(schema: object, *, has_nulls: bool) -> Callable[[Row], None] | None:
    """Return what gives a row the types of ``schema``, in place; ``None`` if it wants no types.

    ``has_nulls`` says that the format tells an empty text from no value, as parquet does.
    """
    columns = dict(_columns(schema))
    if not columns:
        return None
    empties = frozenset() if has_nulls else _texts(columns)
    typed = {name: types for name, types in columns.items() if "string" not in types}

    def read(row: Row) -> None:
        for name, types in typed.items():
            value = row.get(name)
            if type(value) is str:
                row[name] = _as(value, types)
        for name in empties:
            if name in row and row[name] is None:
                row[name] = ""

    return read


def as_it_looks(value: Value) -> Value:
    """Read a text as the number or truth value that it spells.

    >>> [as_it_looks(text) for text in ("7", "-1.5", "007", "true", "yes", None)]
    [7, -1.5, '007', True, 'yes', None]

    """
    if type(value) is not str:
        return value
    if _PLAIN_INTEGER.fullmatch(value):
        return int(value)
    if _PLAIN_NUMBER.fullmatch(value):
        return _finite(value)
    return _BOOLEANS.get(value, value)


def only_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Take other types from columns that hold some text: in a csv file all of it is text."""
    for column in schema.get("properties", {}).values():
        types = column.get("type")
        if isinstance(types, list) and "string" in types:
            column["type"] = ["null", "string"] if "null" in types else "string"
    return schema


def _texts(columns: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(
        name for name, types in columns.items() if "string" in types and "null" not in types
    )


def _columns(schema: object) -> Iterator[tuple[str, frozenset[str]]]:
    """Name the types of properties that have some."""
    properties = _target(schema, schema).get("properties")
    if not isinstance(properties, dict):
        return
    for name, column in properties.items():
        types = _target(column, schema).get("type")
        if isinstance(types, str):
            yield name, frozenset({types})
        elif isinstance(types, list):
            yield name, frozenset(types)


def _target(part: object, schema: object) -> Mapping[str, Any]:
    """Follow references within the schema to where something stands."""
    for _ in range(_HOPS):
        if not isinstance(part, dict):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return part
        part = _at(schema, reference[1:])
    return {}


def _at(schema: object, pointer: str) -> object:
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        schema = schema.get(name) if isinstance(schema, dict) else None
    return schema


def _as(text: str, types: frozenset[str]) -> Value:
    if "integer" in types and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return int(text) if _INTEGER.fullmatch(text) else _finite(text)
    if "boolean" in types and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if types & {"object", "array"} and text.startswith(("{", "[")):
        return _parsed(text)
    return text


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _parsed(text: str) -> Value:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
