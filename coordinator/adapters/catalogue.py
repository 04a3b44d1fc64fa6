"""Uploads that have a card, over ``jobs`` and ``artifacts``."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.kinds import Kind
from coordinator.domain.uploads import Owner

CARD: Final = "croissant.json"


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """An upload as the catalogue shows it."""

    upload_id: UUID
    file_name: str
    created_at: datetime
    rows: int | None
    columns: int | None
    description: str | None


class Card(msgspec.Struct, frozen=True):
    """Where a card is."""

    object_key: str
    size_bytes: int


# The job may have run again with other parameters: the newest card counts.
_NEWEST: Final = """
SELECT u.id AS upload_id, u.file_name, u.created_at, card.rows, card.columns, card.description
  FROM uploads AS u
  JOIN LATERAL (
    SELECT (j.result->>'rows')::bigint AS rows, (j.result->>'columnCount')::bigint AS columns,
           j.parameters->>'description' AS description
      FROM jobs AS j JOIN artifacts AS a ON a.job_id = j.id
     WHERE j.upload_id = u.id AND j.kind = %(kind)s AND a.path = %(path)s
     ORDER BY j.finished_at DESC, j.id
     LIMIT 1) AS card ON true
 WHERE u.tenant = %(tenant)s AND (%(user)s::text IS NULL OR u.user_id = %(user)s)
   AND u.erasing_since IS NULL
   AND (%(at)s::timestamptz IS NULL OR (u.created_at, u.id) < (%(at)s, %(id)s::uuid))
 ORDER BY u.created_at DESC, u.id DESC
 LIMIT %(limit)s
"""


async def newest(
    tx: Tx, owner: Owner, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Dataset]:
    """Return data sets, newest first, from behind ``after`` on."""
    at, row_id = after or (None, None)
    values = {
        "kind": Kind.GENERATE_METADATA,
        "path": CARD,
        "tenant": owner.tenant,
        "user": owner.user,
        "at": at,
        "id": row_id,
        "limit": limit,
    }
    return msgspec.convert(await (await tx.execute(_NEWEST, values)).fetchall(), list[Dataset])


_CARD: Final = """
SELECT a.object_key, a.size_bytes
  FROM jobs AS j JOIN artifacts AS a ON a.job_id = j.id
 WHERE j.upload_id = %s AND j.kind = %s AND a.path = %s
 ORDER BY j.finished_at DESC, j.id
 LIMIT 1
"""


async def card_of(tx: Tx, upload_id: UUID) -> Card | None:
    """Say where the newest card of an upload is; ``None``: it has none."""
    cursor = await tx.execute(_CARD, [upload_id, Kind.GENERATE_METADATA, CARD])
    row = await cursor.fetchone()
    return None if row is None else msgspec.convert(row, Card)
