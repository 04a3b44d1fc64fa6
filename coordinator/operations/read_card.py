"""Read the card of a data set."""

from typing import Final
from uuid import UUID

from coordinator.adapters import catalogue, uploads
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import NoCardError
from coordinator.domain.uploads import Owner

_MAX_BYTES: Final = 4 * 1024 * 1024


async def read_card(stores: Stores, upload_id: UUID, owner: Owner) -> bytes:
    """Return the card as the job wrote it.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.
        NoCardError: it has no card, or one that is longer than 4 MiB.

    """
    async with stores.pool.connection() as conn:
        await uploads.read(conn, upload_id, owner)
        card = await catalogue.card_of(conn, upload_id)
    if card is None or not 0 < card.size_bytes <= _MAX_BYTES:
        raise NoCardError
    return await stores.bucket.read(card.object_key, first=0, length=card.size_bytes)
