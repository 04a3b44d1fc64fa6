"""Lists and counts over ``uploads``."""

from datetime import datetime
from typing import Final
from uuid import UUID

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


_COUNT_OPEN: Final = """
SELECT count(*) AS open FROM uploads WHERE phase IN ('INIT', 'UPLOADING', 'ASSEMBLING')
"""


async def count_open(tx: Tx) -> int:
    """Count the open uploads of all tenants, for the metric."""
    row = await (await tx.execute(_COUNT_OPEN)).fetchone()
    assert row is not None, "a count has a row"
    return int(row["open"])
