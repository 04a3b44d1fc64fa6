"""Writes the rows of ``embedded_rows``, from a job's own thread and over a connection of its own.

Rule: each batch is a transaction that holds the job's row, so that no attempt writes after a newer
one has begun, and none after the upload is being erased. Whoever dies leaves whole batches behind,
and whoever comes after goes on behind the last of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from uuid import UUID

from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import Connection
from psycopg.rows import TupleRow

from coordinator.adapters import bounded_pool

_STATEMENT_SECONDS: Final = 120

Tx = Connection[TupleRow]


class FencedError(Exception):
    """The attempt is over: a newer one has begun, or the job or its upload is gone."""


class Edition(NamedTuple):
    """What is being indexed: the vectors of one upload, as one run of a job made them."""

    id: UUID
    upload_id: UUID
    job_id: UUID
    attempt: int
    model: str
    dimensions: int


# Not by a connection option, which poolers such as PgBouncer refuse.
_BOUND: Final = "SELECT set_config('statement_timeout', %s, false)"
_TABLE: Final = "SELECT to_regclass('embedded_rows') IS NOT NULL"


@contextmanager
def connected(database_url: str) -> Iterator[Tx | None]:
    """Connect; ``None``: this database has no index of vectors."""
    kwargs: dict[str, Any] = {
        "connect_timeout": bounded_pool.CONNECT_SECONDS,
        **bounded_pool.KEEPALIVES,
    }
    with Connection.connect(database_url, autocommit=True, **kwargs) as conn:
        conn.execute(_BOUND, [f"{_STATEMENT_SECONDS}s"])
        row = conn.execute(_TABLE).fetchone()
        if row is None or not row[0]:
            yield None
            return
        register_vector(conn)
        yield conn


_LAST: Final = """
SELECT coalesce(max(row_number), -1) FROM embedded_rows WHERE upload_id = %s AND edition = %s
"""


def last_row(conn: Tx, edition: Edition) -> int:
    """Return the last row that is there of this edition; -1: none is."""
    row = conn.execute(_LAST, [edition.upload_id, edition.id]).fetchone()
    assert row is not None, "an aggregate has a row"
    return int(row[0])


# The upload's row first, as erasure does it. Whoever starts or cancels the job, or erases the
# upload, waits for the end of the batch.
_HOLD_UPLOAD: Final = """
SELECT tenant, user_id FROM uploads WHERE id = %s AND erasing_since IS NULL FOR KEY SHARE
"""
_HOLD_JOB: Final = """
SELECT FROM jobs WHERE id = %s AND attempt = %s AND state = 'running' FOR SHARE
"""
_REPLACE: Final = """
DELETE FROM embedded_rows WHERE upload_id = %s AND row_number BETWEEN %s AND %s
"""
_COPY: Final = """
COPY embedded_rows
     (upload_id, row_number, tenant, user_id, model, dimensions, edition, text, vector)
FROM STDIN (FORMAT BINARY)
"""
_TYPES: Final = ("uuid", "int8", "text", "text", "text", "int4", "uuid", "text", "halfvec")


def write(conn: Tx, edition: Edition, rows: Sequence[tuple[int, str, bytes]]) -> None:
    """Put some rows in the place of what is there from the first of them to the last.

    Raises:
        FencedError: nothing was written.

    """
    with conn.transaction():
        tenant, user = _held(conn, edition)
        conn.execute(_REPLACE, [edition.upload_id, rows[0][0], rows[-1][0]])
        with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for number, text, vector in rows:
                copy.write_row(
                    (
                        *(edition.upload_id, number, tenant, user, edition.model),
                        *(edition.dimensions, edition.id, text, _half(vector)),
                    )
                )


_OTHERS: Final = "DELETE FROM embedded_rows WHERE upload_id = %s AND edition <> %s"


def finish(conn: Tx, edition: Edition) -> int:
    """Remove what is there of other editions, and return how many rows that were.

    Raises:
        FencedError: nothing was removed.

    """
    with conn.transaction():
        _held(conn, edition)
        return conn.execute(_OTHERS, [edition.upload_id, edition.id]).rowcount


def _held(conn: Tx, edition: Edition) -> tuple[str, str]:
    upload: Any = conn.execute(_HOLD_UPLOAD, [edition.upload_id]).fetchone()
    job = conn.execute(_HOLD_JOB, [edition.job_id, edition.attempt]).fetchone()
    if upload is None or job is None:
        raise FencedError
    tenant, user = upload
    return tenant, user


def _half(vector: bytes) -> HalfVector:
    """Turn a packed vector into what Postgres is sent: its length, then big-endian numbers."""
    swapped = bytearray(vector)
    swapped[::2], swapped[1::2] = vector[1::2], vector[::2]
    return HalfVector.from_binary(
        (len(vector) // 2).to_bytes(2, "big") + b"\x00\x00" + bytes(swapped)
    )
