"""What is known of an object: its type, and of tables and text the rows and columns, measured.

A broken object gives metadata that say what is broken; only S3's failures are raised.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

import duckdb
import msgspec

from coordinator.jobs import table_formats
from coordinator.jobs.detect import TABLES, Detected
from coordinator.jobs.object_reader import ObjectReader, ObjectReadError
from coordinator.jobs.packed_check import check_packed
from coordinator.jobs.pieces import Piece, cut
from coordinator.jobs.rows_results import NotRowsError
from coordinator.jobs.table_summary import (
    ADDRESS,
    MEASURED_COLUMNS,
    MEMORY,
    MEMORY_FOR_JSON,
    Column,
    Shape,
    connected,
    count_rows,
    listed,
    summarize,
)
from coordinator.jobs.text_summary import LineLengths, Lines, lengths, total

# DuckDB reads 16 MiB of JSON at once, and more of CSV.
_LINE_GUARD: Final = table_formats.LONGEST_ROW * 3 // 2
_DETAIL: Final = 300

Measure = Callable[[Sequence[Piece]], Iterable[Lines]]


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The result of the job ``generate_metadata``."""

    status: Literal["analyzed", "partial", "described"]
    """All rows and columns measured; some of them; or only size and type known."""

    reason: str | None = None
    """A stable code, unless ``analyzed``: ``empty not-a-table compression-not-read
    encoding-not-read damaged unpacks-too-large claims-too-much line-too-long memory-limit
    broken-rows too-many-columns no-columns no-rows-readable unreadable``."""

    detail: str | None = None
    """A sentence for people about ``reason``."""

    size_bytes: int = 0
    detected: Detected | None = None

    rows: int | None = None
    """Rows that could be read."""

    broken_rows: int | None = None
    """Rows that could not; of csv at most 100,000 are counted."""

    column_count: int | None = None
    columns: list[Column] = []
    """In the file's order. Text has one, ``text``."""

    line_lengths: LineLengths | None = None
    """Of text."""

    notes: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    """Paths of what the job wrote."""


def measured(reader: ObjectReader, detected: Detected, measure_text: Measure) -> Metadata:
    """Measure the object. ``measure_text`` measures pieces of text, wherever it likes to.

    Raises:
        ObjectReadError: S3 could not be read; try again later.

    """
    try:
        found = _why_not(detected) or (
            _text(reader, detected, measure_text)
            if detected.format == "text"
            else _read(reader, detected)
        )
    except NotRowsError as exc:
        found = _described(exc.reason, exc.detail)
    return msgspec.structs.replace(found, size_bytes=reader.size, detected=detected)


def _described(reason: str, detail: str, **known: Any) -> Metadata:
    return Metadata(status="described", reason=reason, detail=detail, **known)


def _why_not(detected: Detected) -> Metadata | None:
    """Refuse what is no table that DuckDB can read here."""
    if detected.format == "empty":
        return _described("empty", "The file is empty.")
    if detected.format == "text":
        return None
    if detected.format not in TABLES:
        return _described("not-a-table", f"Only size and type are told of {detected.format}.")
    if detected.compression and detected.format == "parquet":
        detail = f"{detected.format} inside {detected.compression} is not read."
        return _described("compression-not-read", detail)
    if not table_formats.can_decode(detected):
        detail = f"{detected.format} in {detected.encoding} is not read; convert it to UTF-8."
        return _described("encoding-not-read", detail)
    return None


def _text(reader: ObjectReader, detected: Detected, measure_text: Measure) -> Metadata:
    lines = total(measure_text(cut(reader, detected)))
    found = _judged(lines.rows, lines.broken, [Column(name="text", type="VARCHAR", null_count=0)])
    return msgspec.structs.replace(found, line_lengths=lengths(lines))


def _read(reader: ObjectReader, detected: Detected) -> Metadata:
    """Read the table, and turn whatever is wrong with the object into a reason."""
    guard = _LINE_GUARD if table_formats.is_lenient(detected) else None
    if detected.compression:
        check_packed(reader, detected, longest_line=guard)
        guard = None
    memory = MEMORY_FOR_JSON if detected.format in {"jsonl", "json"} else MEMORY
    with connected(reader, longest_line=guard, memory=memory) as connection:
        try:
            return _table(connection, reader, detected)
        except duckdb.Error as exc:
            return _described(*_blame(exc, reader))


def _table(
    connection: duckdb.DuckDBPyConnection, reader: ObjectReader, detected: Detected
) -> Metadata:
    delim = table_formats.delimiter(reader, detected)
    try:
        shape = table_formats.strict_shape(connection, detected, delim)
        if not table_formats.is_mixed(detected, shape):
            return _strictly(connection, reader, detected, shape)
    except duckdb.Error as exc:
        reason, _ = _blame(exc, reader)
        if reason != "unreadable" or not table_formats.is_lenient(detected):
            raise
    rows, broken, columns = table_formats.read_leniently(connection, detected, delim)
    return _judged(rows, broken, columns)


def _strictly(
    connection: duckdb.DuckDBPyConnection, reader: ObjectReader, detected: Detected, shape: Shape
) -> Metadata:
    """Measure a table in which no row is broken."""
    if detected.format == "parquet":
        claimed = table_formats.parquet_claims_too_much(connection, reader.size, shape)
        if claimed is not None:
            detail = "It claims more values than a file of its size should have."
            return _only_listed("claims-too-much", detail, shape, claimed)
    try:
        rows, columns = summarize(connection, shape)
    except duckdb.OutOfMemoryException:
        detail = "Statistics would take more memory than a job may have."
        return _only_listed("memory-limit", detail, shape, count_rows(connection, shape))
    result = _judged(rows, 0, columns)
    if detected.format in {"jsonl", "json", "csv", "tsv"} and rows > table_formats.SAMPLED_ROWS:
        note = f"Columns and types were found in the first {table_formats.SAMPLED_ROWS} rows."
        return msgspec.structs.replace(result, notes=(note,))
    return result


def _only_listed(reason: str, detail: str, shape: Shape, rows: int) -> Metadata:
    columns = listed(shape.columns)
    return Metadata(
        status="partial",
        reason=reason,
        detail=detail,
        rows=rows,
        column_count=len(columns),
        columns=columns,
    )


def _judged(rows: int, broken: int, columns: list[Column]) -> Metadata:
    """Say how much of the table was measured."""
    if broken and not rows:
        return _described("no-rows-readable", "No row could be read.", rows=0, broken_rows=broken)
    reason, detail = _shortcoming(rows, broken, columns)
    return Metadata(
        status="partial" if reason else "analyzed",
        reason=reason,
        detail=detail,
        rows=rows,
        broken_rows=broken,
        column_count=len(columns),
        columns=columns,
    )


def _shortcoming(
    rows: int, broken: int, columns: list[Column]
) -> tuple[str, str] | tuple[None, None]:
    if not columns:
        return "no-columns", "No row has a column."
    if broken:
        return "broken-rows", f"{broken} of {rows + broken} rows could not be read."
    if len(columns) > MEASURED_COLUMNS:
        detail = f"Only the first {MEASURED_COLUMNS} of {len(columns)} columns were measured."
        return "too-many-columns", detail
    return None, None


def _blame(exc: duckdb.Error, reader: ObjectReader) -> tuple[str, str]:
    """Tell what is wrong with the object, or raise what was wrong with S3."""
    text = str(exc)
    if isinstance(reader.failure, ObjectReadError):
        raise reader.failure from exc
    if reader.failure or "maximum_object_size" in text or "Maximum line size" in text:
        return "line-too-long", "A row is longer than can be read."
    if isinstance(exc, duckdb.OutOfMemoryException):
        return "memory-limit", "Reading it would take more memory than a job may have."
    if text.startswith("Traceback"):
        raise exc  # a fault of ours, in the file below DuckDB
    first = text.partition("\n")[0].partition(": ")[2]
    return "unreadable", first.replace(ADDRESS, "the file")[:_DETAIL]
