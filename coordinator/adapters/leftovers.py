"""What is left of uploads that FAILED, in Postgres and in S3, and which multiparts no row knows."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from coordinator.adapters.postgres import Pool, Tx
from coordinator.adapters.s3_listing import Listed
from coordinator.adapters.uploads import as_upload
from coordinator.domain.uploads import Upload

_BATCH: Final = 100

_FIND: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE phase = 'FAILED' AND swept_at IS NULL AND bucket = %(bucket)s
   AND finished_at <= now() - %(quiet)s
   AND (%(last)s::uuid IS NULL OR (finished_at, id) >
        (SELECT u.finished_at, u.id FROM uploads AS u WHERE u.id = %(last)s))
 ORDER BY finished_at, id
 LIMIT %(batch)s
"""


async def find(pool: Pool, bucket: str, *, quiet: timedelta) -> AsyncIterator[list[Upload]]:
    """Find uploads that FAILED at least ``quiet`` ago and were not swept, in batches, each once."""
    last: UUID | None = None
    while True:
        values = {"bucket": bucket, "quiet": quiet, "last": last, "batch": _BATCH}
        async with pool.connection() as conn:
            found = await (await conn.execute(_FIND, values)).fetchall()
        if not found:
            return
        last = found[-1]["id"]
        yield [as_upload(row) for row in found]


_MARK: Final = "UPDATE uploads SET swept_at = clock_timestamp() WHERE id = %s AND phase = 'FAILED'"


async def mark_swept(tx: Tx, upload_id: UUID) -> None:
    """Note that S3 holds nothing of a FAILED upload any more."""
    await tx.execute(_MARK, [upload_id])


_DROP: Final = """
DELETE FROM signings WHERE id IN (
  SELECT s.id FROM signings AS s JOIN uploads AS u ON u.id = s.upload_id
   WHERE u.phase = 'FAILED' AND u.finished_at <= now() - %(keep)s
   LIMIT 1000)
"""


async def drop_signings(tx: Tx, *, keep: timedelta) -> int:
    """Drop some signings of uploads that FAILED ``keep`` ago; call again until it says 0."""
    return (await tx.execute(_DROP, {"keep": keep})).rowcount


_KNOWN: Final = """
SELECT multipart_id FROM uploads
 WHERE multipart_id = ANY (%s) AND phase IN ('INIT', 'UPLOADING', 'ASSEMBLING')
"""


async def unknown_of(tx: Tx, listed: Sequence[Listed]) -> list[Listed]:
    """Return the multiparts that no open upload names.

    One that is made but not yet stored looks the same: believe this of old ones only.
    """
    rows = await (await tx.execute(_KNOWN, [[each.multipart_id for each in listed]])).fetchall()
    known = {row["multipart_id"] for row in rows}
    return [each for each in listed if each.multipart_id not in known]
