"""Look how an upload stands now: one round trip to Postgres, one to Redis, as a rule none to S3."""

import asyncio
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters import standings, uploads
from coordinator.adapters.standings import Standing
from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner
from coordinator.operations.read_progress import LEDGER_AWAY, read_progress

_POSTGRES_SECONDS: Final = 5.0
_REDIS_SECONDS: Final = 2.0
_REDIS_AWAY: Final[tuple[type[Exception], ...]] = (*LEDGER_AWAY, TimeoutError)


class Sight(msgspec.Struct, frozen=True):
    """What there was to see; ``uploaded`` is ``None`` while nobody knows how many chunks."""

    standing: Standing
    uploaded: int | None


async def look(
    stores: Stores, upload_id: UUID, owner: Owner, *, before: Sight | None = None
) -> Sight:
    """Look at phase, jobs and progress; where Redis knows no progress, that of ``before`` stays.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.
        TimeoutError: Postgres does not answer.

    """
    async with asyncio.timeout(_POSTGRES_SECONDS), stores.pool.connection() as conn:
        standing = await standings.read(conn, upload_id, owner)
    # Opened again, it lacks chunks that were thought to be there.
    is_stale = before is None or (
        before.standing.phase is Phase.ASSEMBLING and standing.phase is Phase.UPLOADING
    )
    known = None if before is None or is_stale else before.uploaded
    return Sight(standing, await _uploaded(stores, upload_id, standing, known))


async def look_at_progress(stores: Stores, upload_id: UUID, before: Sight) -> Sight:
    """Look at progress alone, which Postgres does not know."""
    uploaded = await _uploaded(stores, upload_id, before.standing, before.uploaded)
    return Sight(before.standing, uploaded)


async def ask_for_progress(stores: Stores, upload_id: UUID, owner: Owner, before: Sight) -> Sight:
    """Have S3 asked, as the status does, where Redis has forgotten the upload.

    That repairs the ledger, too.
    """
    async with stores.pool.connection() as conn:
        upload = await uploads.read(conn, upload_id, owner)
    progress = await read_progress(stores, upload)
    return Sight(before.standing, len(progress.uploaded))


async def _uploaded(
    stores: Stores, upload_id: UUID, standing: Standing, known: int | None
) -> int | None:
    """Count the chunks as :func:`read_progress` does, but without S3."""
    if standing.phase is Phase.COMPLETED or standing.is_assembled:
        return standing.total
    if standing.phase is Phase.FAILED:
        return 0
    try:
        async with asyncio.timeout(_REDIS_SECONDS):
            counted = await stores.ledger.count(upload_id)
    except _REDIS_AWAY:
        return known
    return known if counted is None else counted
