"""How fast an upload goes: a read over its signings."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx

_POINTS: Final = 120


class Signed(msgspec.Struct, frozen=True):
    """So many chunks were signed from ``at`` on, until the next point."""

    at: datetime
    chunks: int


# A retried request is no chunk more: an index stands in one row only.
_PACE: Final = """
WITH own AS (
  SELECT extract(epoch FROM signed_at) AS second, signed_at, cardinality(indexes) AS chunks
    FROM signings WHERE upload_id = %(id)s
), ends AS (
  SELECT min(second) AS first, max(second) + 0.001 AS last FROM own
)
SELECT min(signed_at) AS at, sum(chunks)::int AS chunks
  FROM own, ends
 GROUP BY width_bucket(second, first, last, %(points)s)
 ORDER BY 1
"""


async def pace(tx: Tx, upload_id: UUID) -> list[Signed]:
    """Return when chunks were signed, in 120 points at most; none once the manifest is written."""
    cursor = await tx.execute(_PACE, {"id": upload_id, "points": _POINTS})
    return msgspec.convert(await cursor.fetchall(), list[Signed])
