"""Rows of parquet files, some row groups at a time, in batches of bounded size."""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from coordinator.jobs.object_reader import ObjectFile, ObjectReader, ObjectReadError
from coordinator.jobs.rows_results import LONGEST_ROW, Broken, NotRowsError, Row, too_long

# A parquet file of a few bytes may claim any number of rows; 64 values a byte is beyond all use.
_VALUES_PER_BYTE: Final = 64
_HARMLESS_VALUES: Final = 1_000_000_000

# As for gzip: what a column unpacks to, against what it takes in the file.
_RATIO: Final = 200
_HARMLESS: Final = 256 * 1024 * 1024

_BATCH_ROWS: Final = 4096
_BATCH_BYTES: Final = 16 * 1024 * 1024
_BUFFERS: Final = 64 * 1024 * 1024
_BUFFER: Final = (16 * 1024, 1024 * 1024)
_THRIFT_LIMIT: Final = 64 * 1024 * 1024


@contextmanager
def opened(reader: ObjectReader) -> Generator[pq.ParquetFile]:
    """Open the file by its footer.

    Text keeps its dictionaries: a long value that a million rows repeat takes memory once.

    Raises:
        NotRowsError: it is damaged, or claims more than a file of its size should hold.

    """
    try:
        with _file(reader, ()) as plain:
            metadata = plain.metadata
            _check(metadata, reader.size)
            columns = metadata.num_columns
            texts = [
                metadata.schema.column(place).path
                for place in range(columns)
                if metadata.schema.column(place).physical_type == "BYTE_ARRAY"
            ]
        with _file(reader, texts, metadata) as file:
            yield file
    except ObjectReadError:
        raise
    except (pa.ArrowException, OSError, UnicodeError) as exc:
        if reader.failure:
            raise reader.failure from exc
        raise NotRowsError("damaged", "The parquet data is damaged.") from exc


def group_sizes(metadata: pq.FileMetaData) -> list[int]:
    """Return how many bytes of the file each row group takes."""
    sizes = []
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        sizes.append(sum(group.column(at).total_compressed_size for at in range(group.num_columns)))
    return sizes


def parquet_rows(reader: ObjectReader, start: int, end: int) -> Iterator[Row | Broken]:
    """Read the rows of row groups ``start`` up to ``end``."""
    number = 0
    with opened(reader) as file:
        for group in range(start, end):
            size = _rows_at_once(file.metadata.row_group(group))
            for batch in file.iter_batches(size, row_groups=[group], use_threads=False):
                for value in _values(batch):
                    yield too_long(number) if value is None else Row(number, value)
                    number += 1


def _file(
    reader: ObjectReader, texts: Sequence[str], metadata: pq.FileMetaData | None = None
) -> pq.ParquetFile:
    columns = metadata.num_columns if metadata else 1
    smallest, largest = _BUFFER
    return pq.ParquetFile(
        pa.PythonFile(ObjectFile(reader, longest_line=None), mode="r"),
        metadata=metadata,
        read_dictionary=texts,
        buffer_size=min(max(_BUFFERS // max(columns, 1), smallest), largest),
        pre_buffer=False,
        thrift_string_size_limit=_THRIFT_LIMIT,
        thrift_container_size_limit=_THRIFT_LIMIT,
    )


def _check(metadata: pq.FileMetaData, size: int) -> None:
    """Refuse what unpacks to absurdly much."""
    if metadata.num_rows * metadata.num_columns > max(_HARMLESS_VALUES, _VALUES_PER_BYTE * size):
        detail = "It claims more values than a file of its size should have."
        raise NotRowsError("claims-too-much", detail)
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        for at in range(group.num_columns):
            unpacked = group.column(at).total_uncompressed_size
            if unpacked > max(_HARMLESS, _RATIO * size):
                detail = f"It unpacks to over {_RATIO} times its size."
                raise NotRowsError("unpacks-too-large", detail)


def _rows_at_once(group: pq.RowGroupMetaData) -> int:
    row_bytes: int = group.total_byte_size // max(group.num_rows, 1)
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)))


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | None]:
    """Yield each row as a dict, ``None`` where it is too long."""
    names = _names(batch.schema.names)
    columns = [_column(column) for column in batch.columns]
    if not columns:
        yield from ({} for _ in range(batch.num_rows))
        return
    is_large = batch.nbytes >= LONGEST_ROW
    for row in zip(*columns, strict=True):
        value = dict(zip(names, row, strict=True))
        if is_large and len(msgspec.json.encode(value)) >= LONGEST_ROW:
            yield None
        else:
            yield value


def _names(names: Sequence[str]) -> list[str]:
    """Name columns apart: of two equal names the second gets ``_1``."""
    found: dict[str, None] = {}
    for wanted in names:
        name, again = wanted, 0
        while name in found:
            again += 1
            name = f"{wanted}_{again}"
        found[name] = None
    return list(found)


def _column(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        words = _column(column.dictionary)
        return [None if at is None else words[at] for at in column.indices.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_timestamp(kind):
        return _times(column)
    return [_plain(value) for value in column.to_pylist()]


def _times(column: pa.Array) -> list[str | None]:
    """Write times as ISO 8601. Arrow does it, since Python has no nanoseconds and few years."""
    if column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    found = column.cast(pa.string()).to_pylist()
    return [time and time.replace(" ", "T") for time in found]


def _plain(value: Any) -> Any:
    """Turn what Arrow gives into what JSON has."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    # Bytes become base64, times and durations ISO 8601, decimals text.
    return msgspec.to_builtins(value, enc_hook=str)
