"""The job ``generate_metadata``: what a finished object is, and what its table holds.

The same object gives the same bytes. A broken object gives a result that says what is broken; only
S3's failures are raised.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import duckdb
import msgspec

from coordinator.jobs import table_formats
from coordinator.jobs.detect import HEAD_BYTES, TABLES, Detected, detect
from coordinator.jobs.gzip_check import GzipError, check_gzip
from coordinator.jobs.object_reader import ObjectReader, ObjectReadError, ObjectSource
from coordinator.jobs.table_summary import (
    ADDRESS,
    MEASURED_COLUMNS,
    Column,
    Shape,
    connected,
    count_rows,
    listed,
    summarize,
)

# DuckDB reads 16 MiB of JSON at once, and more of CSV.
_LINE_GUARD: Final = table_formats.LONGEST_ROW * 3 // 2
_DETAIL: Final = 300


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's result."""

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
    """In the file's order."""

    notes: tuple[str, ...] = ()


def generate_metadata(
    source: ObjectSource, *, file_name: str, file_type: str, parameters: Mapping[str, object]
) -> dict[str, object]:
    """Describe the object and, if it is a table, measure it. ``parameters`` has none so far.

    Blocks: run it in a thread. Takes some 200 MiB; where lines are broken or columns are
    thousands, up to 600 MiB, whatever the object's size.

    Raises:
        ObjectReadError: S3 could not be read; try again later.

    """
    del parameters
    reader = ObjectReader(source)
    detected = detect(reader.read(0, HEAD_BYTES), file_name, file_type)
    found = _why_not(detected) or _measured(reader, detected)
    result = msgspec.structs.replace(found, size_bytes=source.size, detected=detected)
    return cast("dict[str, object]", msgspec.to_builtins(result))


def _described(reason: str, detail: str, **known: Any) -> Metadata:
    return Metadata(status="described", reason=reason, detail=detail, **known)


def _why_not(detected: Detected) -> Metadata | None:
    """Refuse what is no table that DuckDB can read here."""
    if detected.format == "empty":
        return _described("empty", "The file is empty.")
    if detected.format not in TABLES:
        return _described("not-a-table", f"Only size and type are told of {detected.format}.")
    if detected.compression not in {None, "gzip"} or (
        detected.compression and detected.format == "parquet"
    ):
        detail = f"{detected.format} inside {detected.compression} is not read."
        return _described("compression-not-read", detail)
    if not table_formats.can_decode(detected):
        detail = f"{detected.format} in {detected.encoding} is not read; convert it to UTF-8."
        return _described("encoding-not-read", detail)
    return None


def _measured(reader: ObjectReader, detected: Detected) -> Metadata:
    """Read the table, and turn whatever is wrong with the object into a reason."""
    lines = table_formats.is_lenient(detected)
    if detected.compression:
        try:
            check_gzip(reader, longest_line=_LINE_GUARD)
        except GzipError as exc:
            return _described(exc.reason, str(exc))
    guard = _LINE_GUARD if lines and not detected.compression else None
    with connected(reader, longest_line=guard) as connection:
        try:
            return _table(connection, reader, detected)
        except duckdb.Error as exc:
            return _described(*_blame(exc, reader))


def _table(
    connection: duckdb.DuckDBPyConnection, reader: ObjectReader, detected: Detected
) -> Metadata:
    try:
        shape = table_formats.strict_shape(connection, detected)
        if not table_formats.is_mixed(detected, shape):
            return _strictly(connection, reader, detected, shape)
    except duckdb.Error as exc:
        reason, _ = _blame(exc, reader)
        if reason != "unreadable" or not table_formats.is_lenient(detected):
            raise
    rows, broken, columns = table_formats.read_leniently(connection, detected)
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
