"""The texts inside a row, by column: what is judged, and what is replaced in a redacted copy.

A column is a JSON pointer in which ``*`` stands for any place in an array; of csv and parquet it
begins with the column's name. Keys are texts, too, and so are whole numbers of seven digits and
more.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

_FEWEST: Final = 1_000_000

# No kind is written without one of these.
_TELLING: Final = re.compile(r"[0-9@]|[^\x00-\x7f]")
_MEMBER: Final = re.compile(rb'"\s*:')
_HIDDEN: Final = re.compile(r"\\u00([2-7][0-9A-Fa-f])|\\(/)")
_KEPT_HIDDEN: Final = frozenset('"\\')


class Text(NamedTuple):
    """One string, number or key of a row."""

    column: str
    text: str
    is_key: bool


def texts(value: Any, *, is_table: bool = False, with_names: bool = True) -> list[Text]:
    """List a row's texts in their order, with the names of a table's columns or without."""
    found: list[Text] = []
    stack: list[tuple[Any, str, bool]] = [(value, "", is_table)]
    while stack:
        value, column, is_top = stack.pop()
        kind = type(value)
        if kind is str:
            found.append(Text(column, value, is_key=False))
        elif kind is int:
            if not -_FEWEST < value < _FEWEST:
                found.append(Text(column, str(value), is_key=False))
        elif kind is dict:
            members = [
                (each, inner(column, key, is_top=is_top), False) for key, each in value.items()
            ]
            if with_names or not is_top:
                found += [
                    Text(place, key, is_key=True)
                    for key, (_, place, _) in zip(value, members, strict=True)
                    if _TELLING.search(key)
                ]
            stack += reversed(members)
        elif kind is list:
            stack += [(each, f"{column}/*", False) for each in reversed(value)]
    return found


def inner(column: str, key: str, *, is_top: bool) -> str:
    """Name the column of a member."""
    if is_top:
        return key
    if "~" in key or "/" in key:
        key = key.replace("~", "~0").replace("/", "~1")
    return f"{column}/{key}"


def replaced(
    value: Any, redacted: Callable[[str, str], str], column: str = "", *, is_table: bool = False
) -> Any:
    """Return the value with ``redacted(text, column)`` in place of each text.

    Raises:
        RecursionError: it is nested too deep.

    """
    if type(value) is str:
        return redacted(value, column)
    if type(value) is int:
        if -_FEWEST < value < _FEWEST:
            return value
        found = redacted(str(value), column)
        return value if found == str(value) else found
    if type(value) is list:
        return [replaced(each, redacted, f"{column}/*") for each in value]
    if type(value) is not dict:
        return value
    places = [inner(column, key, is_top=is_table) for key in value]
    names = renamed(value, places, redacted)
    return {
        name: replaced(each, redacted, place)
        for name, each, place in zip(names, value.values(), places, strict=True)
    }


def renamed(
    keys: Iterable[str], columns: Iterable[str], redacted: Callable[[str, str], str]
) -> list[str]:
    """Redact keys, and keep them apart: two addresses would become one."""
    taken: dict[str, None] = {}
    for key, column in zip(keys, columns, strict=True):
        name = wanted = redacted(key, column) if _TELLING.search(key) else key
        again = 1
        while name in taken:
            again += 1
            name = f"{wanted}_{again}"
        taken[name] = None
    return list(taken)


def with_all_members(value: Any, line: bytes) -> Any:
    """Return the row with each of its members, also those that a later one of the name has hidden.

    Parsers keep one of them and drop the other, but the line has both.
    """
    if len(_MEMBER.findall(line)) == _count(value):
        return value
    try:
        return json.loads(line, object_pairs_hook=_all_members)
    except (ValueError, RecursionError):
        return value


def unhidden(text: str) -> str:
    r"""Undo escapes in a line that no parser reads, as far as it stays what it is.

    >>> unhidden(r'{"a": "b\u0040c.org\u0022')
    '{"a": "b@c.org\\u0022'

    """
    if "\\" not in text:
        return text
    return _HIDDEN.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    if found[2]:
        return "/"
    shown = chr(int(found[1], 16))
    return found[0] if shown in _KEPT_HIDDEN else shown


def _count(value: Any) -> int:
    """Count the members of all objects inside."""
    count, stack = 0, [value]
    while stack:
        value = stack.pop()
        if type(value) is dict:
            count += len(value)
            stack += value.values()
        elif type(value) is list:
            stack += value
    return count


def _all_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        name, again = key, 1
        while name in members:
            again += 1
            name = f"{key}_{again}"
        members[name] = value
    return members
