"""Uploads that nobody drives any more: ASSEMBLING under a lease that ran out."""

from typing import Final

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.uploads import Upload

_FIND: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE phase = 'ASSEMBLING' AND lease_until < clock_timestamp()
 ORDER BY lease_until
 LIMIT 20
"""


async def find(tx: Tx) -> list[Upload]:
    """Return abandoned uploads, the longest abandoned first; nothing is locked."""
    cursor = await tx.execute(_FIND)
    return [as_upload(row) for row in await cursor.fetchall()]
