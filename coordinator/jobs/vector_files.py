"""Files of vectors: parquet with columns ``row``, ``text``, ``vector``, always the same bytes."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from coordinator.jobs.object_reader import ObjectFile, ObjectReader

MEDIA_TYPE: Final = "application/vnd.apache.parquet"

_GROUP_BYTES: Final = 8 * 1024 * 1024


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """The vectors of some rows that follow each other."""

    rows: int = 0  # gone through
    broken: int = 0
    numbers: list[int] = []  # of rows that have a vector, counted from the first of these
    texts: list[str] = []
    vectors: bytes = b""  # packed, one after the other
    is_too_much: bool = False  # to be sent at once; nothing else is told


class Vector(msgspec.Struct, frozen=True):
    """One row of a file."""

    row: int
    text: str
    vector: bytes  # packed


class VectorFile:
    """Spells one file; afterwards it knows how many vectors are in it."""

    def __init__(self, *, dimensions: int, model: str) -> None:
        self.vectors = 0
        self._dimensions = dimensions
        known = {"model": model, "dimensions": str(dimensions)}
        self._schema = pa.schema(
            [
                pa.field("row", pa.int64(), nullable=False),
                pa.field("text", pa.string(), nullable=False),
                pa.field("vector", pa.list_(pa.float16(), dimensions), nullable=False),
            ],
            metadata=known,
        )

    def blocks(self, batches: Iterable[tuple[int, Embedded]]) -> Iterator[bytes]:
        """Yield the file's bytes. With each batch comes the number of its first row."""
        sink = _Sink()
        with pq.ParquetWriter(
            sink,
            self._schema,
            compression="zstd",
            use_dictionary=False,
            write_statistics=["row"],
        ) as writer:
            for group in _gathered(self._arrow(first, batch) for first, batch in batches):
                writer.write_table(pa.Table.from_batches(group, self._schema))
                self.vectors += sum(batch.num_rows for batch in group)
                yield sink.taken()
        yield sink.taken()

    def _arrow(self, first: int, batch: Embedded) -> pa.RecordBatch:
        count = len(batch.numbers)
        values = pa.Array.from_buffers(
            pa.float16(), count * self._dimensions, [None, pa.py_buffer(batch.vectors)]
        )
        columns = [
            pa.array([first + number for number in batch.numbers], pa.int64()),
            pa.array(batch.texts, pa.string()),
            pa.FixedSizeListArray.from_arrays(values, self._dimensions),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def read_vectors(reader: ObjectReader, *, at_once: int, after: int = -1) -> Iterator[list[Vector]]:
    """Read a file's rows behind ``after``, so many at once."""
    with pq.ParquetFile(ObjectFile(reader, longest_line=None), pre_buffer=False) as file:
        wanted = [
            group
            for group in range(file.metadata.num_row_groups)
            if _last_row(file.metadata.row_group(group)) > after
        ]
        for batch in file.iter_batches(batch_size=at_once, row_groups=wanted):
            found = [each for each in _vectors(batch) if each.row > after]
            if found:
                yield found


def _last_row(group: Any) -> int:
    statistics = group.column(0).statistics
    return int(statistics.max) if group.num_rows else -1


def _vectors(batch: pa.RecordBatch) -> Iterator[Vector]:
    lists = batch.column("vector")
    size = 2 * lists.type.list_size
    numbers = lists.flatten()
    start = 2 * numbers.offset
    packed = memoryview(numbers.buffers()[1])[start : start + size * len(lists)].tobytes()
    rows, texts = batch.column("row").to_pylist(), batch.column("text").to_pylist()
    for place, (row, text) in enumerate(zip(rows, texts, strict=True)):
        yield Vector(row, text, packed[place * size : (place + 1) * size])


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Put batches together to row groups of some size."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if batch.num_rows:
            group.append(batch)
            size += batch.nbytes
        if size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


class _Sink:
    """A file of which the bytes are taken away as they come."""

    closed = False

    def __init__(self) -> None:
        self._written = bytearray()
        self._position = 0

    def write(self, data: Any) -> int:
        self._written += data
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        taken = bytes(self._written)
        self._written.clear()
        return taken
