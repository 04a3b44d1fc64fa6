"""Uploads that complete by themselves and might be complete: every chunk is signed."""

from datetime import timedelta
from typing import Final

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.uploads import Upload

# An upload that rests is looked at less and less often, an hour apart at most.
_LOOK: Final = """
WITH due AS (
  SELECT u.id FROM uploads AS u
    JOIN LATERAL (SELECT sum(cardinality(s.indexes)) AS chunks, max(s.signed_at) AS last
                    FROM signings AS s WHERE s.upload_id = u.id) AS signed
      ON signed.chunks = greatest(1, ceil(u.size_bytes::numeric / u.chunk_bytes))
   WHERE u.auto_complete AND u.phase IN ('INIT', 'UPLOADING') AND u.erasing_since IS NULL
     AND u.deadline > clock_timestamp()
     AND coalesce(u.looked_at, signed.last) <= clock_timestamp()
         - least(greatest(%(patience)s, (clock_timestamp() - signed.last) / 4), interval '1 hour')
   ORDER BY u.looked_at NULLS FIRST
   LIMIT 50
   FOR UPDATE OF u SKIP LOCKED
)
UPDATE uploads AS u SET looked_at = clock_timestamp() FROM due WHERE u.id = due.id
RETURNING u.*, clock_timestamp() AS as_of
"""


async def look_at_due(tx: Tx, *, patience: timedelta) -> list[Upload]:
    """Return uploads that are due to be looked at, and note that they were."""
    cursor = await tx.execute(_LOOK, {"patience": patience})
    return [as_upload(row) for row in await cursor.fetchall()]
