"""Rows of files in which a line is a row: JSON lines and text, by byte range or from a stream."""

from collections.abc import Generator, Iterable, Iterator
from typing import Final

import msgspec

from coordinator.domain.schema_cost import depth_of
from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.rows_results import (
    LONGEST_ROW,
    Broken,
    Row,
    too_long,
    wrongly_encoded,
)

READ: Final = 2 * 1024 * 1024

# Levels of arrays and objects in a row, itself counted.
DEEPEST_ROW: Final = 200

_BOM: Final = b"\xef\xbb\xbf"


def ranged(reader: ObjectReader, start: int, end: int) -> Generator[bytes]:
    """Yield the lines that start in a byte range: from the first of them to the last one's end.

    Of a last line that is too long, only so much is read as it takes to know.
    """
    is_inside = start == 0
    last = b"\n"
    # One byte before tells whether a line begins at the range's first.
    for position in range(max(start - 1, 0), end, READ):
        block = reader.read(position, min(position + READ, end))
        if not is_inside:
            line_end = block.find(b"\n")
            if line_end < 0:
                continue
            is_inside = True
            block = block[line_end + 1 :]
        if block:
            last = block[-1:]
            yield block
    if last != b"\n":
        yield from _to_line_end(reader, end)


def split(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Cut blocks into lists of whole lines without their ends, LF or CRLF.

    A line of 8 MiB or more is given as its first 8 MiB; no more than that is kept of it. A byte
    order mark at the very beginning is dropped.
    """
    begun = _Line()
    mark = _BOM
    for block in blocks:
        lines = block.split(b"\n")
        rest = lines.pop()
        if not lines:
            begun.add(rest)
            continue
        begun.add(lines[0])
        lines[0] = begun.taken()
        begun.add(rest)
        yield [line.removesuffix(b"\r") for line in _unmarked(lines, mark)]
        mark = b""
    if begun.is_there:
        yield [line.removesuffix(b"\r") for line in _unmarked([begun.taken()], mark)]


def is_too_long(line: bytes) -> bool:
    """Say whether the line is only the beginning of one."""
    return len(line) >= LONGEST_ROW


def json_rows(lines: Iterable[list[bytes]]) -> Iterator[Row | Broken]:
    """Read each line that is not blank as a JSON object."""
    number = 0
    for batch in lines:
        for line in batch:
            if line and not line.isspace():
                yield json_row(number, line)
                number += 1


def text_rows(lines: Iterable[list[bytes]]) -> Iterator[Row | Broken]:
    """Read each line, blank or not, as text."""
    number = 0
    for batch in lines:
        for line in batch:
            yield _text_row(number, line)
            number += 1


def json_row(number: int, line: bytes) -> Row | Broken:
    """Read one JSON object, or say what is wrong with it."""
    if is_too_long(line):
        return too_long(number)
    try:
        value = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return _not_json(number, line)
    # The decoder's own limit depends on its caller's stack, and would differ between processes.
    opened = line.count(b"[") + line.count(b"{")
    if opened > DEEPEST_ROW and depth_of(value, DEEPEST_ROW + 1) > DEEPEST_ROW:
        return _not_json(number, line)
    if type(value) is not dict:
        return Broken(number, "not-an-object", "The row is JSON, but no object.")
    return Row(number, value)


_decode: Final = msgspec.json.Decoder().decode


def _not_json(number: int, line: bytes) -> Broken:
    try:
        line.decode()
    except UnicodeDecodeError:
        return wrongly_encoded(number, "utf-8")
    return Broken(number, "not-json", "The row is no JSON, or nested too deep.")


def _text_row(number: int, line: bytes) -> Row | Broken:
    if is_too_long(line):
        return too_long(number)
    try:
        return Row(number, line.decode())
    except UnicodeDecodeError:
        return wrongly_encoded(number, "utf-8")


def _to_line_end(reader: ObjectReader, start: int) -> Generator[bytes]:
    """Yield from ``start`` up to a line end and with it, or 8 MiB."""
    size = 64 * 1024
    position = start
    while position < min(start + LONGEST_ROW, reader.size):
        block = reader.read(position, position + size)
        line_end = block.find(b"\n")
        if line_end >= 0:
            yield block[: line_end + 1]
            return
        yield block
        position += size
        size = min(2 * size, READ)


def _unmarked(lines: list[bytes], mark: bytes) -> list[bytes]:
    if mark:
        lines[0] = lines[0].removeprefix(mark)
    return lines


class _Line:
    """A line of which not all has been seen; of a long one only the beginning is kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def is_there(self) -> bool:
        return self._size > 0

    def add(self, part: bytes) -> None:
        if part and self._size < LONGEST_ROW:
            self._parts.append(part[: LONGEST_ROW - self._size])
            self._size += len(self._parts[-1])

    def taken(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        return whole
