"""Rows and line lengths of a text file, piece by piece."""

from collections.abc import Iterable
from functools import reduce

import msgspec

from coordinator.jobs.pieces import Piece
from coordinator.jobs.rows import blocks
from coordinator.jobs.rows_of_lines import is_too_long


class Lines(msgspec.Struct, frozen=True):
    """What lines were seen. Lengths are in characters, of the lines that could be read."""

    rows: int = 0
    broken: int = 0
    shortest: int = 0
    longest: int = 0
    characters: int = 0


class LineLengths(msgspec.Struct, frozen=True):
    """In characters, without line ends."""

    min: int
    max: int
    mean: float


def measure_lines(piece: Piece) -> Lines:
    """Count the lines of one piece, blank ones too."""
    return total(_lines(batch) for batch in blocks(piece))


def total(parts: Iterable[Lines]) -> Lines:
    """Add up what was seen in different places."""
    return reduce(_sum, parts, Lines())


def lengths(lines: Lines) -> LineLengths | None:
    """Return the lengths, if there is a line to have one."""
    if not lines.rows:
        return None
    return LineLengths(lines.shortest, lines.longest, lines.characters / lines.rows)


def _lines(batch: list[bytes]) -> Lines:
    whole = [line for line in batch if not is_too_long(line)]
    try:
        # Together, which is faster than each by itself; seldom is one of them no text.
        texts = b"\n".join(whole).decode().split("\n") if whole else []
    except UnicodeDecodeError:
        texts = [text for text in map(_decoded, whole) if text is not None]
    broken = len(batch) - len(texts)
    if not texts:
        return Lines(broken=broken)
    sizes = list(map(len, texts))
    return Lines(len(sizes), broken, min(sizes), max(sizes), sum(sizes))


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _sum(one: Lines, other: Lines) -> Lines:
    if not one.rows or not other.rows:
        filled = one if one.rows else other
        return msgspec.structs.replace(filled, broken=one.broken + other.broken)
    return Lines(
        one.rows + other.rows,
        one.broken + other.broken,
        min(one.shortest, other.shortest),
        max(one.longest, other.longest),
        one.characters + other.characters,
    )
