"""The job ``generate_embeddings``: a vector for the text of each row, in parquet.

A local model runs where pieces run. An endpoint is asked from here, so that its limits hold and its
key stays on this machine.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import accumulate, islice
from typing import Any, Final, Literal, NamedTuple

import msgspec

from coordinator.adapters.embedders import (
    Embedder,
    EmbedderRefusedError,
    dimensions,
    open_embedder,
)
from coordinator.domain.embedders import EmbedderSetting, LocalSetting
from coordinator.domain.job_parameters import GenerateEmbeddings
from coordinator.jobs.embed_rows import embed_piece, embed_rows
from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.pieces import Piece, cut
from coordinator.jobs.row_text import find_column, text_of
from coordinator.jobs.rows import Broken, NotRowsError, Row, rows
from coordinator.jobs.vector_files import MEDIA_TYPE, Embedded, VectorFile
from coordinator.jobs.workspace import FatalJobError, Outcome, Workspace, Written

# Divided by the dimensions: how long a piece is whose vectors are no burden.
_PIECE_NUMBERS: Final = 64 * 1024 * 1024
_FILE_BYTES: Final = 64 * 1024 * 1024
# Where pieces would have to be longer than that, the object is read here instead.
_LONGEST_PIECE: Final = 4 * 1024 * 1024
_LOOKED_AT: Final = 1_000
_PATIENCE_S: Final = 180.0


class VectorsFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One artifact."""

    path: str
    rows: int
    size: int
    sha256: str
    root: str


class Embeddings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's result."""

    status: Literal["done", "partial", "skipped"]
    """All rows were read; some could not be; there are no vectors."""

    reason: str | None = None
    """A stable code, unless ``done``: ``no-model no-text-column column-not-found no-text
    broken-rows``, and what reading rows can say."""

    detail: str | None = None
    """A sentence for people about ``reason``."""

    column: str | None = None
    """Whose text was embedded; of a file of text there is none."""

    model: str | None = None
    dimensions: int | None = None

    rows: int = 0
    """Rows that have a vector."""

    skipped_rows: int = 0
    """Rows without any text."""

    broken_rows: int = 0
    artifacts: list[VectorsFile] = []


class _Model(NamedTuple):
    setting: EmbedderSetting
    embedder: Embedder
    dimensions: int


def run(work: Workspace, parameters: GenerateEmbeddings) -> Outcome:
    """Embed all rows, and write the vectors beside the object.

    Raises:
        FatalJobError: ``embeddings-refused``: the model will not do it, however often it is asked.
        EmbedderAwayError: the endpoint does not answer; try again later.
        ObjectReadError: S3 could not be read; try again later.

    """
    setting: EmbedderSetting | None = work.options.embedder
    if setting is None:
        return _skipped("no-model", "COORDINATOR_EMBEDDINGS names no model.")
    try:
        with closing(open_embedder(setting, patience_s=_PATIENCE_S)) as embedder:
            return _embedded(work, setting, embedder, parameters.column)
    except NotRowsError as exc:
        return _skipped(exc.reason, exc.detail)
    except EmbedderRefusedError as exc:
        raise FatalJobError("embeddings-refused", str(exc)) from exc


def _skipped(reason: str, detail: str, **known: Any) -> Outcome:
    found = Embeddings(status="skipped", reason=reason, detail=detail, **known)
    return Outcome(msgspec.to_builtins(found))


def _embedded(
    work: Workspace, setting: EmbedderSetting, embedder: Embedder, wished: str | None
) -> Outcome:
    reader, detected = work.reader(), work.detected()
    whole = cut(reader, detected, target_bytes=_FILE_BYTES)
    column = None
    if detected.format != "text":
        column = _column(rows(whole[0]), wished)
        if column is None and wished is not None:
            return _skipped("column-not-found", f"No row at the beginning has text as {wished!r}.")
        if column is None:
            return _skipped("no-text-column", "No column at the beginning has any text.")
    probe = embedder.embed(["dimensions"])[0]
    if probe is None:
        raise EmbedderRefusedError("The model makes no vectors of words.")
    model = _Model(setting, embedder, dimensions(probe))
    return _outcome(column, model, _written(work, reader, whole, model, column))


def _column(found: Iterator[Row | Broken], wished: str | None) -> str | None:
    """Return the column to embed, if any of the first rows has text in it."""
    if wished is None:
        return find_column(found)
    texts = (
        text_of(row.value, wished) for row in islice(found, _LOOKED_AT) if isinstance(row, Row)
    )
    return wished if any(texts) else None


class _Made(NamedTuple):
    written: Written
    counts: "_Counted"


class _Counted(msgspec.Struct, frozen=True):
    """How many of one file's rows there are, and what became of them."""

    vectors: int
    gone_through: int
    broken: int


def _outcome(column: str | None, model: _Model, made: Iterator[_Made]) -> Outcome:
    files = list(made)
    gone_through = sum(each.counts.gone_through for each in files)
    vectors = sum(each.counts.vectors for each in files)
    broken = sum(each.counts.broken for each in files)
    known: dict[str, Any] = {
        "column": column,
        "model": model.embedder.name,
        "dimensions": model.dimensions,
        "rows": vectors,
        "skipped_rows": gone_through - vectors - broken,
        "broken_rows": broken,
        "artifacts": [_file(each) for each in files],
    }
    if not vectors:
        found = Embeddings(status="skipped", reason="no-text", detail="No row has text.", **known)
    elif broken:
        detail = f"{broken} of {gone_through} rows could not be read."
        found = Embeddings(status="partial", reason="broken-rows", detail=detail, **known)
    else:
        found = Embeddings(status="done", **known)
    return Outcome(msgspec.to_builtins(found), rows=gone_through)


def _file(made: _Made) -> VectorsFile:
    return VectorsFile(
        path=made.written.path,
        rows=made.counts.vectors,
        size=made.written.size,
        sha256=made.written.sha256,
        root=made.written.root,
    )


def _written(
    work: Workspace, reader: ObjectReader, whole: list[Piece], model: _Model, column: str | None
) -> Iterator[_Made]:
    """Write the files, each of as much of the object as the next.

    What an attempt before this one has written stays: an endpoint is paid for once.
    """
    plan = _plan(reader, whole, model)
    made = work.series(_Counted, model.embedder.name, model.dimensions, column, plan.edges)
    first = 0
    for kept in made.found():
        yield _Made(*kept)
        first += kept.note.gone_through
    start = len(made)
    results = _results(work, plan, model, column, start)
    for number, batches in enumerate(_taken(results, plan.groups[start:]), start):
        counts = _Counts(first)
        file = VectorFile(dimensions=model.dimensions, model=model.embedder.name)
        path = f"embeddings-{number:05}-of-{len(plan.groups):05}.parquet"
        blocks = file.blocks(counts.counted(batches))
        written = work.write(path, blocks, media_type=MEDIA_TYPE)
        note = _Counted(file.vectors, counts.first - first, counts.broken)
        made.keep(written, note)
        yield _Made(written, note)
        first = counts.first


class _Counts:
    """Numbers batches by the rows before them."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.broken = 0

    def counted(self, batches: Iterable[Embedded]) -> Iterator[tuple[int, Embedded]]:
        for batch in batches:
            yield self.first, batch
            self.first += batch.rows
            self.broken += batch.broken


def _taken(
    results: Iterator[Iterable[Embedded]], groups: list[int]
) -> Iterator[Iterator[Embedded]]:
    """Give each file the results of its pieces."""
    for count in groups:
        yield (batch for batches in islice(results, count) for batch in batches)


class _Plan(NamedTuple):
    pieces: list[Piece]
    groups: list[int]  # of so many pieces each file is made
    is_spread: bool

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Say of which bytes the files are made."""
        ends = list(accumulate(self.groups))
        return [
            (self.pieces[end - count].start, self.pieces[end - 1].end)
            for count, end in zip(self.groups, ends, strict=True)
        ]


def _plan(reader: ObjectReader, whole: list[Piece], model: _Model) -> _Plan:
    fine = max(1, _PIECE_NUMBERS // model.dimensions)
    has_lines = not whole[0].is_whole and whole[0].detected.format != "parquet"
    if has_lines and isinstance(model.setting, LocalSetting):
        pieces = cut(reader, whole[0].detected, target_bytes=fine)
        if pieces[0].end - pieces[0].start <= _LONGEST_PIECE:
            each = max(1, _FILE_BYTES // fine)
            groups = [min(each, len(pieces) - start) for start in range(0, len(pieces), each)]
            return _Plan(pieces, groups, is_spread=True)
    return _Plan(whole, [1] * len(whole), is_spread=False)


def _results(
    work: Workspace, plan: _Plan, model: _Model, column: str | None, start: int
) -> Iterator[Iterable[Embedded]]:
    """Return what comes of each piece, from that of the file ``start`` on."""
    first = sum(plan.groups[:start])
    if plan.is_spread:
        return _spread(work, plan.pieces[first:], model, column)
    return _streamed(work, plan.pieces, first, model, column)


def _spread(
    work: Workspace, pieces: list[Piece], model: _Model, column: str | None
) -> Iterator[Iterable[Embedded]]:
    """Embed many pieces at once; one that has very many rows is read here, some at a time."""
    found = work.mapped(embed_piece, pieces, model.setting, column, keep=False)
    for piece, batch in zip(pieces, found, strict=True):
        yield embed_rows(rows(piece), model.embedder, column) if batch.is_too_much else [batch]


def _streamed(
    work: Workspace, pieces: list[Piece], first: int, model: _Model, column: str | None
) -> Iterator[Iterable[Embedded]]:
    """Embed here, piece by piece and some rows at a time."""
    total = sum(piece.end - piece.start for piece in pieces)
    done = sum(piece.end - piece.start for piece in pieces[:first])
    for piece in pieces[first:]:
        work.note(done, total)

        def tick(done: int = done) -> None:
            work.note(done, total)

        yield _checked(embed_rows(rows(piece), model.embedder, column, tick=tick), model)
        done += piece.end - piece.start


def _checked(batches: Iterator[Embedded], model: _Model) -> Iterator[Embedded]:
    """Let an endpoint that changes its mind about dimensions not spoil a file."""
    for batch in batches:
        if len(batch.vectors) != 2 * model.dimensions * len(batch.numbers):
            raise EmbedderRefusedError("The vectors have other dimensions than the first.")
        yield batch
