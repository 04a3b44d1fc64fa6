"""Find uploads: page by page, by phase, and by what somebody remembers of them."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters import listing, uploads
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload

LOOKED_AT: Final = 10_000  # by one search; some 20 ms of Postgres

Place = tuple[datetime, UUID]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whose uploads, and which of them; ``text``: an id, or part of a file's or a user's name."""

    owner: Owner
    phase: Phase | None = None
    text: str | None = None


async def find_uploads(
    stores: Stores, wanted: Wanted, *, after: Place | None, limit: int, looked_at: int = LOOKED_AT
) -> tuple[list[Upload], Place | None]:
    """Return a page, newest first, and after which place the next begins; ``None``: nowhere.

    A page of a search may be short, or empty, and not be the last.
    """
    if wanted.text is None:
        async with stores.pool.connection() as conn:
            rows = await listing.newest(
                conn, wanted.owner, phase=wanted.phase, after=after, limit=limit + 1
            )
        return _page(rows, limit, None)
    if "\0" in wanted.text:
        return [], None  # no name has it, and Postgres takes no such text
    if (upload_id := ids.decode(ids.UPLOAD, wanted.text.strip())) is not None:
        return await _named(stores, wanted, upload_id), None
    async with stores.pool.connection() as conn:
        found = await listing.search(
            conn,
            wanted.owner,
            wanted.text,
            phase=wanted.phase,
            after=after,
            limit=limit + 1,
            most=looked_at,
        )
    return _page(found.uploads, limit, found.stopped_at)


def _page(
    rows: list[Upload], limit: int, otherwise: Place | None
) -> tuple[list[Upload], Place | None]:
    page = rows[:limit]
    return page, (page[-1].created_at, page[-1].id) if len(rows) > limit else otherwise


async def _named(stores: Stores, wanted: Wanted, upload_id: UUID) -> list[Upload]:
    try:
        async with stores.pool.connection() as conn:
            upload = await uploads.read(conn, upload_id, wanted.owner)
    except UploadNotFoundError:
        return []
    return [upload] if wanted.phase in {None, upload.phase} else []
