"""The table ``embedded_rows``: texts of rows with their vectors, where the server has pgvector.

Rule: vectors are compared within one model and one number of dimensions, and whoever searches finds
rows of uploads that it may read, which are neither being erased nor blocked.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg import errors, sql

from coordinator.adapters.postgres import Pool
from coordinator.domain.errors import SearchNotAvailableError
from coordinator.domain.uploads import Owner

# How many rows the index keeps at hand while it searches: more is slower, and finds more of those
# that are nearest.
_NEIGHBOURS: Final = 200

# The index gives nearest rows one after the other, whosever they are, and stops after 20,000. Where
# it has given too few by then, those that may be seen are few, and all of them are compared.
_SET: Final = """
SELECT set_config('hnsw.ef_search', %s, true),
       set_config('hnsw.iterative_scan', 'relaxed_order', true)
"""
_NEAREST: Final = sql.SQL("""
WITH near AS MATERIALIZED (
  SELECT e.upload_id, e.row_number, e.text,
         e.vector::halfvec({n}) <=> %(vector)s::halfvec({n}) AS far
    FROM embedded_rows AS e
   WHERE {seen} AND e.dimensions = {n}
   ORDER BY e.vector::halfvec({n}) <=> %(vector)s::halfvec({n})
   LIMIT %(limit)s
), every AS MATERIALIZED (
  SELECT e.upload_id, e.row_number, e.text,
         e.vector::halfvec({n}) <=> %(vector)s::halfvec({n}) AS far
    FROM embedded_rows AS e
   WHERE (SELECT count(*) FROM near) < %(limit)s AND {seen} AND e.dimensions = {n}
   ORDER BY (e.vector::halfvec({n}) <=> %(vector)s::halfvec({n})) + 0
   LIMIT %(limit)s
)
SELECT found.upload_id, found.row_number AS row, found.text, 1 - found.far AS score, u.file_name
  FROM (SELECT * FROM near WHERE (SELECT count(*) FROM near) >= %(limit)s
        UNION ALL SELECT * FROM every) AS found
  JOIN uploads AS u ON u.id = found.upload_id
 ORDER BY found.far, found.upload_id, found.row_number
""")
# Found first, and by itself: joined, they would let the planner guess that few rows are left, and
# that reading all of them is cheaper than the index.
_SEEN: Final = sql.SQL("""
e.tenant = %(tenant)s AND (%(user)s::text IS NULL OR e.user_id = %(user)s)
     AND (%(upload)s::uuid IS NULL OR e.upload_id = %(upload)s) AND e.model = %(model)s
     AND e.upload_id <> ALL (ARRAY(
           SELECT id FROM uploads WHERE tenant = %(tenant)s AND erasing_since IS NOT NULL
           UNION
           SELECT u.id FROM jobs AS j JOIN uploads AS u ON u.id = j.upload_id
            WHERE u.tenant = %(tenant)s AND j.blocks IS NOT NULL))
""")


class Hit(msgspec.Struct, frozen=True):
    """A row that was found."""

    upload_id: UUID
    row: int
    text: str
    score: float  # cosine similarity
    file_name: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for, and where."""

    vector: Sequence[float]
    model: str
    owner: Owner
    upload_id: UUID | None
    limit: int


async def nearest(pool: Pool, wanted: Wanted) -> list[Hit]:
    """Return the rows whose vectors point most nearly where the wanted one does.

    One round trip: settings and question are sent together.

    Raises:
        SearchNotAvailableError: the database has no such table.

    """
    values = {
        "vector": f"[{','.join(map(str, wanted.vector))}]",
        "model": wanted.model,
        "tenant": wanted.owner.tenant,
        "user": wanted.owner.user,
        "upload": wanted.upload_id,
        "limit": wanted.limit,
    }
    query = _NEAREST.format(seen=_SEEN, n=sql.Literal(len(wanted.vector)))
    try:
        async with pool.connection() as conn:
            async with conn.pipeline(), conn.transaction():
                await conn.execute(_SET, [str(_NEIGHBOURS)])
                cursor = await conn.execute(query, values)
            rows: list[Any] = await cursor.fetchall()
    except (errors.UndefinedTable, errors.UndefinedObject) as exc:
        raise SearchNotAvailableError(
            "The database has no index of vectors: install pgvector 0.8 or newer there, then run "
            "`coordinator migrate`."
        ) from exc
    return msgspec.convert(rows, list[Hit])
