"""The job ``prepare_training_dataset``: rows without repetition, split, in parquet files.

Every row is read twice. First it is hashed, and its columns' types are noted; then it is known what
becomes of each row, which types the columns have and how many files there will be, and the rows
are written in the file's order.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import msgspec

from coordinator.domain.job_parameters import PrepareTrainingDataset
from coordinator.jobs.pieces import Piece, cut
from coordinator.jobs.rows import NotRowsError, Row
from coordinator.jobs.rows import rows as rows_of
from coordinator.jobs.training_shards import MEDIA_TYPE, Shard, Split
from coordinator.jobs.training_survey import Survey, record, survey, surveyed
from coordinator.jobs.training_types import WHOLE_ROW, Layout, Type, layout_of
from coordinator.jobs.training_verdicts import DROPPED, SPLITS, Verdicts
from coordinator.jobs.workspace import Outcome, Workspace, Written

MANIFEST: Final = "manifest.json"

# Half of what other jobs take: a digest is kept of every row.
_PIECE_BYTES: Final = 8 * 1024 * 1024
_MIB: Final = 1024 * 1024
_MOST_SHARDS: Final = 99_999
_LEAF_BYTES: Final = 8
_NOTED_ROWS: Final = 10_000


class SplitCounts(msgspec.Struct, frozen=True):
    """How much is in one split. An empty one has no shard."""

    rows: int
    shards: int


class Prepared(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's result."""

    status: Literal["done", "partial", "skipped"]
    """Everything is in the data set; something is not; there is no data set."""

    reason: str | None = None
    """A stable code, unless ``done``: ``broken-rows too-many-columns no-columns no-rows
    no-rows-readable too-many-rows``, or why the file has no rows."""

    detail: str | None = None
    rows: int = 0
    broken_rows: int = 0
    broken: dict[str, int] = {}
    """Broken rows by reason."""

    duplicates: int = 0
    splits: dict[str, SplitCounts] = {}
    artifacts: tuple[str, ...] = ()
    manifest: str | None = None


class Source(msgspec.Struct, frozen=True, rename="camel"):
    """What the rows are from."""

    file_name: str
    size: int
    root: str | None
    sha256: str | None


class Told(msgspec.Struct, frozen=True, rename="camel"):
    """The job's parameters, those that are as always, too."""

    seed: int
    validation: float
    test: float
    dedupe: bool
    shard_mib: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The artifact ``manifest.json``: what the data set is, and how it came about."""

    version: int = 1
    source: Source
    parameters: Told
    columns: tuple[Type, ...]
    rows: int
    broken_rows: int
    duplicates: int
    splits: dict[str, SplitCounts]
    shards: tuple[Shard, ...]


def run(work: Workspace, parameters: PrepareTrainingDataset) -> Outcome:
    """Prepare the data set.

    Raises:
        ObjectReadError: S3 could not be read; try again later.
        StoppedError: the job should not go on.

    """
    return prepare(work, parameters, piece_bytes=_PIECE_BYTES)


def prepare(work: Workspace, parameters: PrepareTrainingDataset, *, piece_bytes: int) -> Outcome:
    """Do so by pieces of some size, which makes no difference but in time."""
    with TemporaryDirectory(prefix="training-") as folder:
        try:
            pieces = cut(work.reader(), work.detected(), target_bytes=piece_bytes)
            found = _prepared(work, parameters, pieces, Path(folder))
        except NotRowsError as exc:
            found = Prepared(status="skipped", reason=exc.reason, detail=exc.detail)
    gone_through = found.rows + found.duplicates + found.broken_rows
    return Outcome(msgspec.to_builtins(found), rows=gone_through)


def _prepared(
    work: Workspace, parameters: PrepareTrainingDataset, pieces: list[Piece], folder: Path
) -> Prepared:
    verdicts = Verdicts(
        folder / "verdicts",
        validation=parameters.validation,
        test=parameters.test,
        dedupe=parameters.dedupe,
    )
    total = _look(work, pieces, hashlib.blake2b(b"%d" % parameters.seed).digest(), verdicts)
    layout = layout_of(total.notes)
    found = _judged(total, layout, verdicts)
    if found.status == "skipped":
        return found
    made = _splits(
        work, layout, verdicts, folder, _shard_counts(total, layout, verdicts, parameters)
    )
    _write(work, pieces, verdicts, made)
    shards = [shard for split in made.values() for shard in split.shards]
    counts = Counter(shard.split for shard in shards)
    splits = {name: SplitCounts(verdicts.counts[name], counts[name]) for name in SPLITS}
    manifest = Manifest(
        source=Source(work.file_name, work.source.size, work.root, work.sha256),
        parameters=Told(**msgspec.structs.asdict(parameters)),
        columns=layout.columns,
        rows=found.rows,
        broken_rows=found.broken_rows,
        duplicates=found.duplicates,
        splits=splits,
        shards=tuple(shards),
    )
    body = msgspec.json.format(msgspec.json.encode(manifest))
    work.write(MANIFEST, [body], media_type="application/json")
    return msgspec.structs.replace(
        found,
        splits=splits,
        artifacts=(*(shard.path for shard in shards), MANIFEST),
        manifest=MANIFEST,
    )


def _look(work: Workspace, pieces: list[Piece], key: bytes, verdicts: Verdicts) -> Survey:
    """Go through all rows once, and judge them. Return what was seen, without the digests."""
    total = Survey()
    for found in _surveys(work, pieces, key):
        verdicts.add(found.digests)
        total.add(msgspec.structs.replace(found, digests=b""))
    verdicts.settle()
    return total


def _surveys(work: Workspace, pieces: list[Piece], key: bytes) -> Iterator[Survey]:
    """Survey pieces side by side; here what has no pieces, or too many rows in one."""
    if pieces[0].is_whole:
        yield from _surveyed_here(work, pieces[0], key)
        return
    # Nothing is kept of them: digests of all rows would fill the database.
    found = work.mapped(survey, pieces, key, keep=False)
    for piece, each in zip(pieces, found, strict=True):
        if each.is_partial:
            yield from _surveyed_here(work, piece, key)
        else:
            yield each


def _surveyed_here(work: Workspace, piece: Piece, key: bytes) -> Iterator[Survey]:
    for found in surveyed(piece, key):
        yield found
        work.note(0, 1)


def _judged(total: Survey, layout: Layout, verdicts: Verdicts) -> Prepared:
    """Say what will come of the rows."""
    rows, broken = sum(verdicts.counts.values()), sum(total.broken.values())
    known: dict[str, Any] = {
        "rows": rows,
        "broken_rows": broken,
        "broken": dict(sorted(total.broken.items())),
        "duplicates": verdicts.duplicates,
    }
    status: Literal["done", "partial", "skipped"] = "done"
    reason = detail = None
    if not rows:
        status = "skipped"
        reason, detail = "no-rows", "There are no rows."
        if broken:
            reason, detail = "no-rows-readable", "No row could be read."
    elif not layout.columns:
        status, reason, detail = "skipped", "no-columns", "No row has a column."
    elif layout.is_row:
        status, reason = "partial", "too-many-columns"
        detail = f"Each row is JSON text in the column {WHOLE_ROW}: there are too many columns."
    elif broken:
        status, reason = "partial", "broken-rows"
        detail = f"{broken} rows could not be read."
    return Prepared(status=status, reason=reason, detail=detail, **known)


def _shard_counts(
    total: Survey, layout: Layout, verdicts: Verdicts, parameters: PrepareTrainingDataset
) -> dict[str, int]:
    """Say how many shards each split gets, by how large its rows are in memory, on average."""
    good = sum(verdicts.counts.values()) + verdicts.duplicates
    size = max(total.size, good * layout.leaves * _LEAF_BYTES)
    found = {}
    for name, rows in verdicts.counts.items():
        shards = -(-rows * size // (good * parameters.shard_mib * _MIB))
        found[name] = min(shards, rows, _MOST_SHARDS)
    return found


def _splits(
    work: Workspace, layout: Layout, verdicts: Verdicts, folder: Path, shards: dict[str, int]
) -> dict[int, Split]:
    def send(path: str, blocks: Iterator[bytes]) -> Written:
        return work.write(path, blocks, media_type=MEDIA_TYPE)

    return {
        SPLITS[name]: Split(name, layout, rows=rows, shards=shards[name], folder=folder, send=send)
        for name, rows in verdicts.counts.items()
    }


def _write(
    work: Workspace, pieces: list[Piece], verdicts: Verdicts, splits: dict[int, Split]
) -> None:
    """Go through all rows again, and write those that stay."""
    all_rows = (found for piece in pieces for found in rows_of(piece))
    for place, verdict in enumerate(verdicts):
        found = next(all_rows)
        if verdict != DROPPED:
            assert isinstance(found, Row), "the object does not change while it is read"
            splits[verdict].add(record(found.value))
        # A row may take a hundred megabytes: it goes before the next is read.
        del found
        if place % _NOTED_ROWS == 0:
            work.note(place, verdicts.rows)
