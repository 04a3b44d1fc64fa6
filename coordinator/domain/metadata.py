"""Metadata of uploads: what JSON can say, within bounds that all readers can live with."""

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from coordinator.domain.errors import InvalidFieldError

MAX_DEPTH: Final = 8
MAX_MEMBERS: Final = 256
MAX_NAME_CHARACTERS: Final = 128

_MAX_PATH: Final = 200
# Controls but \n and \t, halves of surrogate pairs, and what turns the direction of text so that
# it reads as something else (Unicode, "Trojan Source", CVE-2021-42574).
_NOT_ALLOWED: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_TEXT: Final = "Text has no control characters but line ends and tabs, and turns no direction."


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return ``metadata`` if every reader can use it; its size is looked at elsewhere.

    Raises:
        InvalidFieldError: nested too deeply, too many members, a name that is empty or too long,
            text with control characters, a number that is none. The field says where.

    """
    members = 0
    for path, depth, value in _walk("metadata", 0, metadata):
        if isinstance(value, str):
            _check_text(path, value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise _refused(path, "The number is out of range.")
        elif isinstance(value, dict | list):
            if depth >= MAX_DEPTH:
                raise _refused(path, f"Nested more than {MAX_DEPTH} deep.")
            members += len(value)
            if members > MAX_MEMBERS:
                raise _refused("metadata", f"At most {MAX_MEMBERS} members and entries in all.")
            if isinstance(value, dict):
                _check_names(path, value)
    return metadata


def _walk(path: str, depth: int, value: Any) -> Iterator[tuple[str, int, Any]]:
    """Go through all values, each one before those inside it."""
    yield path, depth, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _walk(f"{path}.{name}", depth + 1, each)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _walk(f"{path}[{at}]", depth + 1, each)


def _check_names(path: str, members: dict[str, Any]) -> None:
    for name in members:
        if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
            raise _refused(path, f"A name has 1 to {MAX_NAME_CHARACTERS} characters.")
        _check_text(path, name)


def _check_text(path: str, text: str) -> None:
    if _NOT_ALLOWED.search(text):
        raise _refused(path, _TEXT)


def _refused(path: str, detail: str) -> InvalidFieldError:
    return InvalidFieldError(path[:_MAX_PATH], detail)
