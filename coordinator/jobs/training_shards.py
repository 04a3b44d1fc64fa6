"""Writes the rows of one split into parquet files whose number is known before the first row.

Rule: bytes depend on rows and layout alone. So where batches, row groups and shards end depends
on the rows in them, never on how the file was cut or how fast it was read.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from coordinator.jobs.training_types import Layout
from coordinator.jobs.workspace import Written

MEDIA_TYPE: Final = "application/vnd.apache.parquet"

# Rows become columns in batches: as Python objects they take ten times the memory.
_BATCH_ROWS: Final = 2048
_BATCH_BYTES: Final = 1024 * 1024
_GROUP_ROWS: Final = 128 * 1024
_GROUP_BYTES: Final = 24 * 1024 * 1024
_READ: Final = 1024 * 1024

_encode: Final = msgspec.json.encode

Send = Callable[[str, Iterator[bytes]], Written]


class Shard(msgspec.Struct, frozen=True, rename="camel"):
    """One parquet file, as the manifest names it."""

    path: str
    split: str
    rows: int
    size: int
    sha256: str
    root: str


class Split:
    """One split, written shard by shard. ``send`` makes an artifact of a finished file."""

    def __init__(
        self, name: str, layout: Layout, *, rows: int, shards: int, folder: Path, send: Send
    ) -> None:
        self.shards: list[Shard] = []
        self._name = name
        self._layout = layout
        self._rows = rows
        self._count = shards
        self._path = folder / f"{name}.parquet"
        self._send = send
        self._file: _File | None = None
        self._written = 0

    def add(self, row: dict[str, Any]) -> None:
        """Write the next row. The last one ends the last shard."""
        if self._file is None:
            self._file = _File(self._path, self._layout)
        self._file.add(row)
        self._written += 1
        # The shards' lengths differ by one row at most.
        if self._written == (len(self.shards) + 1) * self._rows // self._count:
            self._finish(self._file)

    def _finish(self, file: "_File") -> None:
        file.close()
        self._file = None
        path = f"{self._name}-{len(self.shards):05}-of-{self._count:05}.parquet"
        sent = self._send(path, _blocks(self._path))
        self._path.unlink()
        self.shards.append(Shard(path, self._name, file.rows, sent.size, sent.sha256, sent.root))


class _File:
    """A parquet file being written; of its rows it holds some megabytes."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.rows = 0
        self._layout = layout
        self._waiting: list[dict[str, Any]] = []
        self._waiting_bytes = 0
        self._group: list[pa.RecordBatch] = []
        self._group_rows = self._group_bytes = 0
        self._writer = pq.ParquetWriter(
            path,
            layout.schema,
            version="2.6",
            data_page_version="1.0",
            compression="zstd",
            compression_level=3,
            store_schema=False,
        )

    def add(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self._waiting.append(row)
        self._waiting_bytes += len(_encode(row))
        if len(self._waiting) == _BATCH_ROWS or self._waiting_bytes >= _BATCH_BYTES:
            self._end_batch()

    def close(self) -> None:
        self._end_batch()
        self._end_group()
        self._writer.close()

    def _end_batch(self) -> None:
        if not self._waiting:
            return
        batch = self._layout.batch(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        self._group.append(batch)
        self._group_rows += batch.num_rows
        self._group_bytes += batch.nbytes
        if self._group_rows >= _GROUP_ROWS or self._group_bytes >= _GROUP_BYTES:
            self._end_group()

    def _end_group(self) -> None:
        if self._group:
            table = pa.Table.from_batches(self._group).combine_chunks()
            self._writer.write_table(table, row_group_size=self._group_rows)
        self._group, self._group_rows, self._group_bytes = [], 0, 0


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_READ):
            yield block
