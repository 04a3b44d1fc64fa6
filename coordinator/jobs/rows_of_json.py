"""Rows of one JSON document: the objects of an array, or the one object that it is.

Only the ends of values are searched for here; msgspec reads each value whole. So one broken value
does not hide the next, and a value counts as it would in a line of its own.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from coordinator.jobs.rows_of_lines import json_row
from coordinator.jobs.rows_results import LONGEST_ROW, Broken, NotRowsError, Row, too_long

_SPACE: Final = b" \t\r\n"

# A string, or an array or object with none in it, is one token where the block holds all of it.
_STRING: Final = rb'"(?>[^"\\]++|\\.)*+"'
_TOKEN: Final = re.compile(
    rb"[\[{](?>[^\[\]{}\"]++|" + _STRING + rb")*+[\]}]|" + _STRING + rb'|[\[\]{},"]', re.DOTALL
)
_INSIDE_STRING: Final = re.compile(rb'(?>[^"\\]++|\\.)*+', re.DOTALL)


def json_rows(blocks: Iterable[bytes]) -> Iterator[Row | Broken]:
    """Read the document value by value.

    Raises:
        NotRowsError: it ends too early, or something follows it.

    """
    head, blocks = _begun(blocks)
    if not head:
        return
    if not head.startswith(b"["):
        yield _only_row(chain((head,), blocks))
        return
    values = _Array().values(chain((head[1:],), blocks))
    for number, value in enumerate(values):
        yield too_long(number) if value is None else json_row(number, value)


def _begun(blocks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the document from its first byte that is no space, and the blocks behind."""
    iterator = iter(blocks)
    for place, block in enumerate(iterator):
        head = (block if place else block.removeprefix(b"\xef\xbb\xbf")).lstrip(_SPACE)
        if head:
            return head, iterator
    return b"", iterator


def _only_row(blocks: Iterator[bytes]) -> Row | Broken:
    value = bytearray()
    for block in blocks:
        value += block
        if len(value) >= LONGEST_ROW:
            return too_long(0)
    return json_row(0, bytes(value))


class _Array:
    """The place in an array: how deep, inside a string or not, and what of a value was seen."""

    def __init__(self) -> None:
        self._depth = 1
        self._in_string = False
        self._is_escaped = False
        self._value: list[bytes] = []
        self._size = 0

    def values(self, blocks: Iterable[bytes]) -> Iterator[bytes | None]:
        """Yield what stands between the commas; ``None`` for what is too long."""
        count = 0
        for block in blocks:
            start = position = 0
            while position < len(block) and self._depth:
                position, token = self._next(block, position)
                if (token == b"," and self._depth == 1) or not self._depth:
                    self._keep(block[start : position - 1])
                    start = position
                    value = self._taken()
                    # Between the brackets of [] stands no value.
                    if value != b"" or count or self._depth:
                        yield value
                        count += 1
            if not self._depth and block[start:].strip(_SPACE):
                raise NotRowsError("damaged", "Something follows the end of the JSON array.")
            self._keep(block[start:])
        if self._depth:
            raise NotRowsError("damaged", "The JSON array ends too early.")

    def _next(self, block: bytes, position: int) -> tuple[int, bytes]:
        """Go behind the next token."""
        if self._in_string:
            return self._string_end(block, position), b""
        found = _TOKEN.search(block, position)
        if found is None:
            return len(block), b""
        token = found.group() if found.end() - found.start() == 1 else b""
        if token == b'"':
            self._in_string = True
        elif token == b"}" and self._depth == 1:
            raise NotRowsError("damaged", "The JSON array ends with a brace.")
        elif token:
            self._depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1, b",": 0}[token]
        return found.end(), token

    def _string_end(self, block: bytes, position: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            position += 1
        found = _INSIDE_STRING.match(block, position)
        assert found is not None
        end = found.end()
        if end >= len(block):
            return end
        if block[end : end + 1] == b'"':
            self._in_string = False
        else:
            self._is_escaped = True
        return end + 1

    def _keep(self, part: bytes) -> None:
        if part and self._size < LONGEST_ROW:
            self._value.append(part)
            self._size += len(part)

    def _taken(self) -> bytes | None:
        whole = None if self._size >= LONGEST_ROW else b"".join(self._value).strip(_SPACE)
        self._value, self._size = [], 0
        return whole
