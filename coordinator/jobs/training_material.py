"""What trainers are given of a prepared data set: where its files are, lists of them, its rows."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from coordinator.domain.kinds import Kind
from coordinator.domain.trainings import Shard, Split
from coordinator.jobs.detect import HEAD_BYTES, detect
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import cut
from coordinator.jobs.rows import Row, rows
from coordinator.jobs.training_shards import Shard as Prepared
from coordinator.jobs.workspace import Workspace

_BLOCK: Final = 256 * 1024


class _Listed(msgspec.Struct, frozen=True):
    """What is read here of the manifest that ``prepare_training_dataset`` made."""

    shards: tuple[Prepared, ...]


class Material:
    """A prepared data set, as trainers ask for it."""

    def __init__(self, work: Workspace, manifest: str) -> None:
        self._work = work
        source = work.artifact(Kind.PREPARE_TRAINING_DATASET, manifest)
        body = ObjectReader(source).read(0, source.size)
        listed = msgspec.json.decode(body, type=_Listed)
        self.manifest = _address(source)
        self._splits: dict[str, list[Prepared]] = {}
        for each in listed.shards:
            self._splits.setdefault(each.split, []).append(each)
        self._rows = sum(each.rows for each in listed.shards)
        self._done = 0

    def splits(self) -> dict[str, Split]:
        """Say where everything is; there is no split without rows."""
        return {name: self._split(shards) for name, shards in self._splits.items()}

    def _split(self, shards: list[Prepared]) -> Split:
        found = tuple(
            Shard(
                address=_address(self._source(each)),
                size=each.size,
                sha256=each.sha256,
                root=each.root,
                rows=each.rows,
            )
            for each in shards
        )
        return Split(rows=sum(each.rows for each in shards), shards=found)

    def lines(self, split: str) -> Iterator[bytes]:
        """Yield a split's rows as JSON lines, in blocks. What is null is left out, as it was."""
        block = bytearray()
        for each in self._splits[split]:
            for value in self._values(self._source(each)):
                self._done += 1
                block += msgspec.json.encode(_without_nulls(value))
                block += b"\n"
                if len(block) >= _BLOCK:
                    self.note()
                    yield bytes(block)
                    block.clear()
        self.note()
        yield bytes(block)

    def listing(self, split: str) -> str:
        """Write the list of a split's files that SageMaker reads, and return its address."""
        keys = [self._source(each).key for each in self._splits[split]]
        folder = keys[0].rpartition("/")[0] + "/"
        names = [key.removeprefix(folder) for key in keys]
        bucket = self._work.source.bucket
        body = msgspec.json.encode([{"prefix": f"s3://{bucket}/{folder}"}, *names])
        written = self._work.write(f"{split}.files.json", [body], media_type="application/json")
        return f"s3://{bucket}/{written.key}"

    def note(self) -> None:
        """Hear whether to go on."""
        self._work.note(self._done, max(self._rows, self._done))

    def _source(self, file: Prepared) -> ObjectSource:
        return self._work.artifact(Kind.PREPARE_TRAINING_DATASET, file.path)

    def _values(self, source: ObjectSource) -> Iterator[Any]:
        reader = ObjectReader(source)
        detected = detect(reader.read(0, HEAD_BYTES), source.key, "")
        for piece in cut(reader, detected):
            for row in rows(piece):
                if isinstance(row, Row):
                    yield row.value


def _address(source: ObjectSource) -> str:
    return f"s3://{source.bucket}/{source.key}"


def _without_nulls(value: Any) -> Any:
    """Leave members out that a table has only because other rows have them."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
