"""Proves a packed file whole and of sane size before anything else unpacks it."""

from coordinator.jobs.detect import Detected
from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.rows_results import NotRowsError
from coordinator.jobs.unpacking import unpacked


def check_packed(reader: ObjectReader, detected: Detected, *, longest_line: int | None) -> int:
    """Unpack everything once, keep nothing, and return the unpacked size.

    Raises:
        NotRowsError: it is damaged or cut off, unpacks to more than 200 times its size and 256 MiB,
            or has a line longer than ``longest_line``.
        ObjectReadError: S3 could not be read.

    """
    size = line = 0
    for block in unpacked(reader, detected):
        size += len(block)
        end = block.rfind(b"\n")
        line = line + len(block) if end < 0 else len(block) - end - 1
        if longest_line is not None and line > longest_line:
            raise NotRowsError("line-too-long", f"A line is longer than {longest_line} bytes.")
    return size
