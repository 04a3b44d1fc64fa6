"""Cuts an object into pieces that can be read each by itself, on any machine."""

from itertools import pairwise
from typing import Final

import msgspec

from coordinator.jobs.detect import TABLES, Detected
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.rows_of_parquet import group_sizes, opened
from coordinator.jobs.rows_results import NotRowsError

TARGET_BYTES: Final = 16 * 1024 * 1024
_MOST_PIECES: Final = 10_000


class Piece(msgspec.Struct, frozen=True):
    """Part of an object. Equal objects are cut into equal pieces."""

    source: ObjectSource
    detected: Detected

    start: int
    end: int
    """Of lines, the bytes that they start in; of parquet, the row groups; else all bytes."""

    is_whole: bool
    """Whether the object can only be read from its beginning to its end."""


def cut(
    reader: ObjectReader, detected: Detected, *, target_bytes: int = TARGET_BYTES
) -> list[Piece]:
    """Cut the object into pieces of about ``target_bytes``, at most 10,000 of them.

    Raises:
        NotRowsError: it is no file of rows.
        ObjectReadError: S3 could not be read.

    """
    check_rows(detected)
    source = reader.source
    target = max(target_bytes, -(-reader.size // _MOST_PIECES))
    if detected.format == "parquet":
        edges = _group_edges(reader, target)
    elif _has_lines_anywhere(detected):
        edges = [*range(0, reader.size, target), reader.size]
    else:
        return [Piece(source, detected, 0, reader.size, is_whole=True)]
    return [Piece(source, detected, start, end, is_whole=False) for start, end in pairwise(edges)]


def check_rows(detected: Detected) -> None:
    """Refuse what has no rows that can be read here.

    Raises:
        NotRowsError: so it is.

    """
    if detected.format == "empty":
        raise NotRowsError("empty", "The file is empty.")
    if detected.format not in TABLES | {"text"}:
        raise NotRowsError("not-a-table", f"Rows of {detected.format} are not read.")
    if detected.format == "parquet" and detected.compression:
        detail = f"{detected.format} inside {detected.compression} is not read."
        raise NotRowsError("compression-not-read", detail)


def _has_lines_anywhere(detected: Detected) -> bool:
    return (
        detected.format in {"jsonl", "text"}
        and detected.compression is None
        and detected.encoding in {None, "utf-8"}
    )


def _group_edges(reader: ObjectReader, target: int) -> list[int]:
    """Put small row groups together until they reach the target."""
    with opened(reader) as file:
        sizes = group_sizes(file.metadata)
    edges, size = [0], 0
    for place, group in enumerate(sizes):
        if size and size + group > target:
            edges.append(place)
            size = 0
        size += group
    return [*edges, len(sizes)]
