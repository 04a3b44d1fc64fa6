"""The rows of a piece, whatever format, packing and encoding they are in."""

from collections.abc import Iterator

from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.pieces import Piece, check_rows
from coordinator.jobs.rows_of_csv import csv_rows
from coordinator.jobs.rows_of_json import json_rows as values_of_json
from coordinator.jobs.rows_of_lines import is_too_long, json_rows, ranged, split, text_rows
from coordinator.jobs.rows_of_parquet import parquet_rows
from coordinator.jobs.rows_results import LONGEST_ROW, Broken, NotRowsError, Row
from coordinator.jobs.unpacking import as_utf8, unpacked

__all__ = [
    "LONGEST_ROW",
    "Broken",
    "NotRowsError",
    "Row",
    "blocks",
    "is_too_long",
    "rows",
]


def blocks(piece: Piece) -> Iterator[list[bytes]]:
    """Read a piece of JSON lines or text as lists of whole lines, blank ones too.

    Lines are UTF-8 without their ends; where the file was not valid they are not. Of a line of
    8 MiB or more only the first 8 MiB are given: see ``is_too_long``.

    Raises:
        NotRowsError: it has no lines, or no more of them can be read.
        ObjectReadError: S3 could not be read.

    """
    assert piece.detected.format in {"jsonl", "text"}
    if piece.is_whole:
        return split(_whole(piece))
    return split(ranged(ObjectReader(piece.source), piece.start, piece.end))


def rows(piece: Piece) -> Iterator[Row | Broken]:
    """Read a piece row by row, in order.

    Raises:
        NotRowsError: it has no rows, or no more of them can be read.
        ObjectReadError: S3 could not be read.

    """
    check_rows(piece.detected)
    match piece.detected.format:
        case "jsonl":
            return json_rows(blocks(piece))
        case "text":
            return text_rows(blocks(piece))
        case "parquet":
            return parquet_rows(ObjectReader(piece.source), piece.start, piece.end)
        case "json":
            return values_of_json(_whole(piece))
        case _:
            unread = unpacked(ObjectReader(piece.source), piece.detected)
            return csv_rows(unread, piece.detected)


def _whole(piece: Piece) -> Iterator[bytes]:
    return as_utf8(unpacked(ObjectReader(piece.source), piece.detected), piece.detected.encoding)
