"""Proves a gzip file whole and of sane size before anything else unpacks it."""

import zlib
from collections.abc import Generator
from typing import Final

from coordinator.jobs.object_reader import ObjectReader

_READ: Final = 4 * 1024 * 1024
_PIECE: Final = 1024 * 1024

# Text packs 3 to 30 times, monotonous text 100; a bomb 1,000.
_RATIO: Final = 200
_HARMLESS: Final = 256 * 1024 * 1024


class GzipError(ValueError):
    """The file cannot be unpacked or should not be. ``reason`` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def check_gzip(reader: ObjectReader, *, longest_line: int) -> int:
    """Unpack everything once, keep nothing, and return the unpacked size.

    Raises:
        GzipError: it is damaged or cut off, unpacks to more than 200 times its size and 256 MiB,
            or has a line longer than ``longest_line``.

    """
    unpacked = line = 0
    for piece in _pieces(reader):
        unpacked += len(piece)
        if unpacked > max(_HARMLESS, _RATIO * reader.size):
            raise GzipError("unpacks-too-large", f"It unpacks to over {_RATIO} times its size.")
        end = piece.rfind(b"\n")
        line = line + len(piece) if end < 0 else len(piece) - end - 1
        if line > longest_line:
            raise GzipError("line-too-long", f"A line is longer than {longest_line} bytes.")
    return unpacked


def _pieces(reader: ObjectReader) -> Generator[bytes]:
    """Yield the unpacked bytes of all members, at most 1 MiB at a time."""
    member = zlib.decompressobj(wbits=31)
    for start in range(0, reader.size, _READ):
        packed = reader.read(start, start + _READ)
        while packed:
            try:
                yield member.decompress(packed, _PIECE)
            except zlib.error as exc:
                raise GzipError("damaged", "The gzip data is damaged.") from exc
            packed = member.unconsumed_tail
            if member.eof:
                packed = member.unused_data
                if packed:
                    member = zlib.decompressobj(wbits=31)
    if not member.eof:
        raise GzipError("damaged", "The gzip data ends too early.")
