"""Lists and counts over ``uploads``."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload

_NEWEST: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE tenant = %(tenant)s
   AND (%(user)s::text IS NULL OR user_id = %(user)s) AND erasing_since IS NULL
   AND (%(phase)s::text IS NULL OR phase = %(phase)s)
   AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(id)s::uuid))
 ORDER BY created_at DESC, id DESC
 LIMIT %(limit)s
"""


async def newest(
    tx: Tx, owner: Owner, *, phase: Phase | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[Upload]:
    """Return uploads, newest first, from behind ``after`` on."""
    at, row_id = after or (None, None)
    values = {
        "tenant": owner.tenant,
        "user": owner.user,
        "phase": phase,
        "at": at,
        "id": row_id,
        "limit": limit,
    }
    cursor = await tx.execute(_NEWEST, values)
    return [as_upload(row) for row in await cursor.fetchall()]


class Found(msgspec.Struct, frozen=True):
    """What a search has found, and the last row that it looked at, if it looked no further."""

    uploads: list[Upload]
    stopped_at: tuple[datetime, UUID] | None


# A part of a name is in no index. So a search goes through the newest rows by theirs, so many at
# once and no more, and its next page goes on behind the last one that was looked at.
_SEARCH: Final = """
WITH looked AS MATERIALIZED (
  SELECT id, created_at, phase, file_name, user_id FROM uploads
   WHERE tenant = %(tenant)s
     AND (%(user)s::text IS NULL OR user_id = %(user)s) AND erasing_since IS NULL
     AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(id)s::uuid))
   ORDER BY created_at DESC, id DESC
   LIMIT %(most)s
), hits AS (
  SELECT id FROM looked
   WHERE (%(phase)s::text IS NULL OR phase = %(phase)s)
     AND (strpos(lower(file_name), lower(%(text)s)) > 0
          OR strpos(lower(user_id), lower(%(text)s)) > 0)
   ORDER BY created_at DESC, id DESC
   LIMIT %(limit)s
), last AS (
  SELECT created_at AS last_at, id AS last_id FROM looked
   ORDER BY created_at DESC, id DESC
  OFFSET %(most)s - 1
)
SELECT u.*, clock_timestamp() AS as_of, last.*
  FROM (SELECT) AS always
  LEFT JOIN last ON true
  LEFT JOIN (uploads AS u JOIN hits USING (id)) ON true
 ORDER BY u.created_at DESC, u.id DESC
"""


async def search(
    tx: Tx,
    owner: Owner,
    text: str,
    *,
    phase: Phase | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
    most: int,
) -> Found:
    """Return uploads with ``text`` in their name or their user's, of the next ``most`` rows.

    Upper and lower case are the same. Fewer than ``limit`` and ``stopped_at``: there may be more
    behind that row.
    """
    at, row_id = after or (None, None)
    values = {
        "tenant": owner.tenant,
        "user": owner.user,
        "text": text,
        "phase": phase,
        "at": at,
        "id": row_id,
        "limit": limit,
        "most": most,
    }
    rows = await (await tx.execute(_SEARCH, values)).fetchall()
    end = rows[0]["last_at"], rows[0]["last_id"]
    hits = [as_upload(row) for row in rows if row["tenant"] is not None]
    return Found(hits, None if end[0] is None else end)


_COUNT_OPEN: Final = """
SELECT count(*) AS open FROM uploads WHERE phase IN ('INIT', 'UPLOADING', 'ASSEMBLING')
"""


async def count_open(tx: Tx) -> int:
    """Count the open uploads of all tenants, for the metric."""
    row = await (await tx.execute(_COUNT_OPEN)).fetchone()
    assert row is not None, "a count has a row"
    return int(row["open"])
