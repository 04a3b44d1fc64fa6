"""Statistics of one table, by DuckDB, in bounded memory and the same for the same bytes.

One thread, because approximate quantiles and floating sums depend on the order of rows. No
extension is ever fetched: JSON and Parquet are built in, S3 is read by ``object_reader``.
"""

import math
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import msgspec

from coordinator.jobs.object_reader import ObjectFileSystem, ObjectReader

# DuckDB's name for the one file of the file system that it is given.
ADDRESS: Final = "object://object"

# More columns than this are listed, not measured: each one measured takes memory.
MEASURED_COLUMNS: Final = 500

# With what Python takes, and DuckDB past its limit, it stays below 512 MiB. JSON goes further past.
MEMORY: Final = "352MiB"
MEMORY_FOR_JSON: Final = "288MiB"
_SPILL: Final = "4GiB"
_TEXT: Final = 200
_NAME: Final = 500

# Squares of anything larger leave the range of a double, and DuckDB raises.
_SQUARABLE: Final = 1e150

_INTEGERS: Final = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
)
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})
_WIDE_NUMBERS: Final = frozenset({"HUGEINT", "UHUGEINT", "BIGNUM"})
_SORTABLE: Final = re.compile(r"(DATE|TIME|TIMESTAMP|UUID)\b|TIMESTAMP_")

Value = int | float | str | bool | None


class Quartiles(msgspec.Struct, frozen=True):
    """Approximate (t-digest) quartiles of the finite values."""

    q25: float | None
    q50: float | None
    q75: float | None


class Column(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One column. What was not measured, or makes no sense for the type, is null."""

    name: str
    """As DuckDB names it: of two equal names the second gets ``_1``. At most 500 characters."""

    type: str
    """DuckDB's type, read from the file or found in its values. At most 500 characters."""

    null_count: int | None = None
    null_percentage: float | None = None
    min: Value = None
    """Of finite numbers, booleans, times, text (its first 200 characters); null for nested."""

    max: Value = None
    approx_distinct: int | None = None
    """HyperLogLog's estimate, a few percent off."""

    mean: float | None = None
    std: float | None = None
    """Of the sample."""

    quartiles: Quartiles | None = None


class Shape(msgspec.Struct, frozen=True):
    """A table that can be read: the call that scans it, and names and types of its columns."""

    scan: str
    columns: tuple[tuple[str, str], ...]


@contextmanager
def connected(
    reader: ObjectReader, *, longest_line: int | None, memory: str = MEMORY
) -> Generator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB of its own that sees one object and a private folder to spill into."""
    with TemporaryDirectory(prefix="metadata-") as folder:
        connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "memory_limit": memory,
                "threads": 1,
                "preserve_insertion_order": False,
                "temp_directory": folder,
                "max_temp_directory_size": _SPILL,
            }
        )
        try:
            connection.register_filesystem(ObjectFileSystem(reader, longest_line=longest_line))
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")  # it writes to standard output
            yield connection
        finally:
            connection.close()


def shape_of(connection: duckdb.DuckDBPyConnection, scan: str) -> Shape:
    """Find names and types of what ``scan`` yields."""
    found = connection.execute(f"DESCRIBE FROM {scan}").fetchall()
    return Shape(scan, tuple((row[0], row[1]) for row in found))


def count_rows(connection: duckdb.DuckDBPyConnection, shape: Shape) -> int:
    """Count rows, which takes the least memory of all."""
    return int(one_row(connection, f"FROM {shape.scan} SELECT count(*)")[0])


def summarize(
    connection: duckdb.DuckDBPyConnection, shape: Shape, *, broken_rows: int = 0
) -> tuple[int, list[Column]]:
    """Measure all columns in one pass over the object, and count the rows.

    ``broken_rows`` are rows that the scan yields as nothing but nulls.
    """
    measured = shape.columns[:MEASURED_COLUMNS]
    # Columns are addressed by place: no name out of a file ever gets into a statement.
    names = [f"c{place}" for place in range(len(shape.columns))]
    wanted = ["count(*)"]
    for name, (_, kind) in zip(names, measured, strict=False):
        wanted += _measures(name, kind)
    aliases = ", ".join(names)
    values = iter(
        one_row(connection, f"FROM {shape.scan} AS t({aliases}) SELECT {', '.join(wanted)}")
    )
    rows = int(next(values)) - broken_rows
    columns = [
        _column(name, kind, rows, [next(values) for _ in _measures("", kind)])
        for name, kind in measured
    ]
    return rows, columns + listed(shape.columns[MEASURED_COLUMNS:])


def listed(columns: Sequence[tuple[str, str]]) -> list[Column]:
    """Name columns without measuring them."""
    return [Column(name=name[:_NAME], type=kind[:_NAME]) for name, kind in columns]


def one_row(connection: duckdb.DuckDBPyConnection, statement: str) -> tuple[Any, ...]:
    """Run a statement that yields exactly one row, to its end: rejects are known only then."""
    (row,) = connection.execute(statement).fetchall()
    return tuple(row)


def _is_number(kind: str) -> bool:
    return kind in _INTEGERS | _FLOATS | _WIDE_NUMBERS or kind.startswith("DECIMAL(")


def _measures(name: str, kind: str) -> list[str]:
    """Write what is asked of a column: count, distinct, then by type min, max, and the numbers."""
    always = [f"count({name})", f"approx_count_distinct({name})"]
    if kind == "VARCHAR":
        # The prefix of the least text is the least of the prefixes, and those stay small.
        return [*always, f"min(left({name}, {_TEXT}))", f"max(left({name}, {_TEXT}))"]
    if kind == "BOOLEAN":
        return [*always, f"min({name})", f"max({name})"]
    if kind in _INTEGERS:
        return [*always, f"min({name})", f"max({name})", *_numbers(name)]
    if _is_number(kind):
        number = f"({name}::DOUBLE)"
        finite = f"CASE WHEN isfinite({number}) THEN {number} END"
        return [*always, f"min({finite})", f"max({finite})", *_numbers(finite)]
    if _SORTABLE.match(kind) and not kind.endswith("]"):
        return [*always, f"min({name})::VARCHAR", f"max({name})::VARCHAR"]
    return always


def _numbers(number: str) -> list[str]:
    # CASE, because each FILTER makes DuckDB keep a copy of all columns, outside its memory limit.
    squarable = f"CASE WHEN abs(({number})::DOUBLE) < {_SQUARABLE} THEN {number} END"
    return [
        f"avg({number})",
        f"stddev_samp({squarable})",
        f"approx_quantile(({number})::DOUBLE, [0.25, 0.5, 0.75])",
    ]


def _column(name: str, kind: str, rows: int, values: Sequence[object]) -> Column:
    count, distinct, low, high, mean, std, quartiles = (*values, *[None] * 5)[:7]
    assert isinstance(count, int)
    assert isinstance(distinct, int)
    nulls = rows - count
    low, high = _plain(low), _plain(high)
    squarable = all(not _is_number(kind) or _fits(value) for value in (low, high))
    return Column(
        name=name[:_NAME],
        type=kind[:_NAME],
        null_count=nulls,
        null_percentage=round(100 * nulls / rows, 4) if rows else None,
        min=low,
        max=high,
        approx_distinct=distinct,
        mean=_finite(mean),
        std=_finite(std) if squarable else None,
        quartiles=Quartiles(*map(_finite, quartiles)) if isinstance(quartiles, list) else None,
    )


def _fits(value: Value) -> bool:
    return isinstance(value, (int, float)) and abs(value) < _SQUARABLE


def _plain(value: object) -> Value:
    """Turn what DuckDB gives into what JSON has."""
    if value is None or isinstance(value, (bool, int)):
        return value
    return _finite(value) if isinstance(value, (float, Decimal)) else str(value)[:_TEXT]


def _finite(value: object) -> float | None:
    if not isinstance(value, (int, float, Decimal)):
        return None
    number = float(value)
    return number if math.isfinite(number) else None
