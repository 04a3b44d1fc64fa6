"""How each table format is read by DuckDB, strictly first and leniently where that fails."""

from typing import Final

import duckdb

from coordinator.jobs.detect import HEAD_BYTES, Detected, delimiter_of
from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.table_summary import (
    ADDRESS,
    MEASURED_COLUMNS,
    Column,
    Shape,
    listed,
    one_row,
    shape_of,
    summarize,
)
from coordinator.jobs.unpacking import unpacked

# A longer row cannot be read. DuckDB reads twice as much at once.
LONGEST_ROW: Final = 8 * 1024 * 1024

# Types and columns of text are found in so many rows, all rows where they turn out not to fit.
SAMPLED_ROWS: Final = 20_480

_REJECTS: Final = 100_000
_TYPE_BIT: Final = (
    "CASE e.type WHEN 'NULL' THEN 0 WHEN 'BIGINT' THEN 1 WHEN 'UBIGINT' THEN 2"
    " WHEN 'DOUBLE' THEN 4 WHEN 'BOOLEAN' THEN 8 WHEN 'VARCHAR' THEN 16 ELSE 32 END"
)
# The one type that holds all that a column was seen to hold; JSON where there is none.
_TYPES_OF_BITS: Final = {
    1: "BIGINT",
    2: "UBIGINT",
    3: "HUGEINT",
    4: "DOUBLE",
    5: "DOUBLE",
    6: "DOUBLE",
    7: "DOUBLE",
    8: "BOOLEAN",
    16: "VARCHAR",
}
_CSV_ENCODINGS: Final = {"utf-8": "utf-8", "latin-1": "latin-1", "utf-16-le": "utf-16"}

# A parquet file of a few bytes may claim any number of rows; 64 values a byte is beyond all use.
_VALUES_PER_BYTE: Final = 64
_HARMLESS_VALUES: Final = 1_000_000_000

Connection = duckdb.DuckDBPyConnection
Found = tuple[int, int, list[Column]]  # rows, broken rows, columns


def can_decode(detected: Detected) -> bool:
    """Say whether DuckDB reads the file's encoding without an extension."""
    if detected.format in {"csv", "tsv"}:
        return detected.encoding in _CSV_ENCODINGS
    return detected.encoding in {None, "utf-8", "latin-1"}


def delimiter(reader: ObjectReader, detected: Detected) -> str:
    """Say what cuts fields, as it is said where rows are read.

    DuckDB believes what all rows agree on: after a few broken ones, that there is one column.
    """
    if detected.format != "csv":
        return "\t"
    head = next(unpacked(reader, detected), b"")[:HEAD_BYTES]
    return delimiter_of(head.decode(detected.encoding or "utf-8", errors="replace"))


def strict_shape(connection: Connection, detected: Detected, delim: str) -> Shape:
    """Find the columns, on the assumption that no row is broken."""
    if detected.format == "parquet":
        return shape_of(connection, f"read_parquet('{ADDRESS}')")
    if detected.format in {"csv", "tsv"}:
        return shape_of(connection, _csv(detected, delim, f"sample_size={SAMPLED_ROWS}"))
    return shape_of(connection, _json(detected, f"sample_size={SAMPLED_ROWS}"))


def is_lenient(detected: Detected) -> bool:
    """Say whether rows of this format can be broken one by one."""
    return detected.format in {"jsonl", "csv", "tsv"}


def is_mixed(detected: Detected, shape: Shape) -> bool:
    """Say whether DuckDB gave up on columns: lines of several kinds, or too many names."""
    return detected.format == "jsonl" and [name for name, _ in shape.columns] == ["json"]


def read_leniently(connection: Connection, detected: Detected, delim: str) -> Found:
    """Look at all rows for types that fit, then measure the good rows and count the others."""
    if detected.format == "jsonl":
        return _jsonl_leniently(connection, detected)
    options = f"sample_size=-1, store_rejects=true, rejects_limit={_REJECTS}"
    rows, columns = summarize(connection, shape_of(connection, _csv(detected, delim, options)))
    broken = one_row(connection, "FROM reject_errors SELECT count(DISTINCT line)")[0]
    return rows, int(broken), columns


def parquet_claims_too_much(connection: Connection, size_bytes: int, shape: Shape) -> int | None:
    """Return the number of rows that a parquet file claims, if reading them all would be absurd."""
    rows = int(one_row(connection, f"FROM parquet_file_metadata('{ADDRESS}') SELECT num_rows")[0])
    limit = max(_HARMLESS_VALUES, _VALUES_PER_BYTE * size_bytes)
    return rows if rows * len(shape.columns) > limit else None


def _jsonl_leniently(connection: Connection, detected: Detected) -> Found:
    """Give each column the one type that all its values have, or JSON."""
    options = f"ignore_errors=true, {_common_json(detected)}"
    lines_scan = f"read_ndjson_objects('{ADDRESS}', {options})"
    one_object = "CASE WHEN json_type(json) = 'OBJECT' THEN json END"
    lines, good = one_row(connection, f"FROM {lines_scan} SELECT count(*), count({one_object})")
    # Not json_group_structure: it takes memory by the row, and a deep value kills the database.
    found = connection.execute(
        f"FROM (FROM {lines_scan} SELECT {one_object} AS found) AS o, json_each(o.found) AS e"
        f" SELECT e.key, bit_or({_TYPE_BIT}) GROUP BY e.key ORDER BY min(e.id), e.key"
    ).fetchall()
    columns = [(name, _TYPES_OF_BITS.get(bits, "JSON")) for name, bits in found]
    if not columns:
        return good, lines - good, []
    # Names that are not asked for are skipped, which keeps memory down.
    measured = columns[:MEASURED_COLUMNS]
    types = ", ".join(f"{_literal(name)}: {_literal(kind)}" for name, kind in measured)
    scan = _json(detected, f"ignore_errors=true, columns={{{types}}}")
    rows, summary = summarize(connection, Shape(scan, tuple(measured)), broken_rows=lines - good)
    return rows, lines - good, summary + listed(columns[MEASURED_COLUMNS:])


def _json(detected: Detected, options: str) -> str:
    layout = {"jsonl": "newline_delimited"}.get(detected.format, "auto")
    return f"read_json('{ADDRESS}', format='{layout}', {options}, {_common_json(detected)})"


def _common_json(detected: Detected) -> str:
    return f"maximum_object_size={LONGEST_ROW}, compression='{detected.compression or 'none'}'"


def _csv(detected: Detected, delim: str, options: str) -> str:
    encoding = _CSV_ENCODINGS[detected.encoding or "utf-8"]
    file = f"'{ADDRESS}', encoding='{encoding}', compression='{detected.compression or 'none'}'"
    return f"read_csv({file}, delim='{delim}', {options})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
