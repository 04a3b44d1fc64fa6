"""The job ``index_dataset``: the vectors of an upload where they can be searched."""

import hashlib
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from coordinator.adapters import indexing
from coordinator.adapters.indexing import Edition, FencedError, Tx
from coordinator.domain import ids
from coordinator.domain.job_parameters import IndexDataset
from coordinator.domain.kinds import Kind
from coordinator.jobs.generate_embeddings import Embeddings
from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.vector_files import Vector, read_vectors
from coordinator.jobs.workspace import Outcome, StoppedError, Workspace

# While a batch is written the job's row is held: that is to take a second, not many.
_BATCH_NUMBERS: Final = 32 * 1024
_SMALLEST_BATCH: Final = 16

# Postgres texts hold any character but this one.
_NUL: Final = "\x00"


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's result."""

    status: Literal["done", "skipped"]
    reason: str | None = None
    """A stable code, unless ``done``: ``no-vectors no-index``."""

    detail: str | None = None
    """A sentence for people about ``reason``."""

    model: str | None = None
    dimensions: int | None = None
    rows: int = 0
    """Rows that can be found."""


def run(work: Workspace, parameters: IndexDataset) -> Outcome:
    """Write the vectors that the job before has made into Postgres.

    Raises:
        StoppedError: the attempt is over.
        psycopg.OperationalError: Postgres does not answer; try again later.
        ObjectReadError: S3 could not be read; try again later.

    """
    del parameters
    made = work.earlier.get(Kind.GENERATE_EMBEDDINGS)
    vectors = None if made is None else msgspec.convert(made, Embeddings)
    if vectors is None or not vectors.rows or vectors.model is None or vectors.dimensions is None:
        return _skipped("no-vectors", "The upload has no vectors; generate_embeddings says why.")
    edition = Edition(
        id=_edition(vectors),
        upload_id=_uuid(ids.UPLOAD, work.upload_id),
        job_id=_uuid(ids.JOB, work.job_id),
        attempt=work.attempt,
        model=vectors.model,
        dimensions=vectors.dimensions,
    )
    with indexing.connected(work.options.database_url) as conn:
        if conn is None:
            return _skipped("no-index", "The database has no pgvector, so nothing can be searched.")
        try:
            _write_all(work, conn, edition, vectors)
            indexing.finish(conn, edition)
        except FencedError as exc:
            raise StoppedError from exc
    found = Index(
        status="done", model=edition.model, dimensions=edition.dimensions, rows=vectors.rows
    )
    return Outcome(msgspec.to_builtins(found), rows=vectors.rows)


def _skipped(reason: str, detail: str) -> Outcome:
    return Outcome(msgspec.to_builtins(Index(status="skipped", reason=reason, detail=detail)))


def _write_all(work: Workspace, conn: Tx, edition: Edition, vectors: Embeddings) -> None:
    """Go on behind the last row that an attempt before this one has written."""
    after = indexing.last_row(conn, edition)
    size = max(_SMALLEST_BATCH, _BATCH_NUMBERS // edition.dimensions)
    done = 0
    for file in vectors.artifacts:
        work.note(done, vectors.rows)
        reader = ObjectReader(work.artifact(Kind.GENERATE_EMBEDDINGS, file.path))
        written = 0
        for batch in read_vectors(reader, after=after, at_once=size):
            indexing.write(conn, edition, [_row(each) for each in batch])
            written += len(batch)
            work.note(done + written, vectors.rows)
        done += file.rows


def _row(each: Vector) -> tuple[int, str, bytes]:
    return each.row, each.text.replace(_NUL, "\N{REPLACEMENT CHARACTER}"), each.vector


def _edition(vectors: Embeddings) -> UUID:
    """Name the vectors by what they are: the same ones made again are the same edition."""
    named: list[Any] = [vectors.model, vectors.dimensions]
    named += [(file.path, file.sha256) for file in vectors.artifacts]
    return UUID(bytes=hashlib.sha256(msgspec.json.encode(named)).digest()[:16])


def _uuid(prefix: str, public_id: str) -> UUID:
    found = ids.decode(prefix, public_id)
    assert found is not None, "the workspace has ids of ours"
    return found
