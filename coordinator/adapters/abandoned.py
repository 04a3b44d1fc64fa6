"""Uploads that nobody drives any more.

Their lease ran out, no worker has come to read them, or their client let the deadline pass.
"""

from datetime import timedelta
from typing import Final

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.uploads import Upload

# Without a lease an object waits to be read: a queue entry that failed is put in once more.
_FIND: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE phase = 'ASSEMBLING' AND erasing_since IS NULL
   AND (lease_until < clock_timestamp()
        OR lease_until IS NULL AND updated_at < clock_timestamp() - %(patience)s)
 ORDER BY lease_until NULLS FIRST
 LIMIT 50
"""


async def find(tx: Tx, *, patience: timedelta) -> list[Upload]:
    """Return abandoned uploads, the longest abandoned first; nothing is locked.

    ``patience`` is how long an object may wait for a worker to read it.
    """
    cursor = await tx.execute(_FIND, {"patience": patience})
    return [as_upload(row) for row in await cursor.fetchall()]


# now() and not the clock itself, so that the index ends the search; whoever locks the row decides.
_FIND_EXPIRED: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE phase IN ('INIT', 'UPLOADING') AND deadline <= now() AND erasing_since IS NULL
 ORDER BY deadline
 LIMIT 100
"""


async def find_expired(tx: Tx) -> list[Upload]:
    """Return open uploads whose deadline has passed, the longest first; nothing is locked."""
    cursor = await tx.execute(_FIND_EXPIRED)
    return [as_upload(row) for row in await cursor.fetchall()]
