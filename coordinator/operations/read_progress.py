"""Say how far an upload is: from the ledger, or from S3 where Redis has forgotten it."""

from collections.abc import Awaitable
from typing import Final, TypeVar

import msgspec
import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from coordinator.adapters import signings
from coordinator.adapters.ledger import Chunks
from coordinator.adapters.s3_answers import MultipartGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import held_chunks
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Upload

_log = structlog.get_logger(__name__)

T = TypeVar("T")

LEDGER_AWAY: Final[tuple[type[RedisError], ...]] = (RedisConnectionError, RedisTimeoutError)


class Progress(msgspec.Struct, frozen=True):
    """Which chunks have arrived; ``failed`` are those last reported as failed."""

    total: int
    uploaded: frozenset[int]
    failed: frozenset[int]

    @property
    def missing(self) -> list[int]:
        """The chunks that have not arrived, in order."""
        return [index for index in range(self.total) if index not in self.uploaded]


async def ledger_or_nothing(asked: Awaitable[T]) -> T | None:
    """Await the ledger; ``None`` while Redis is away, because it is a cache and no more."""
    try:
        return await asked
    except LEDGER_AWAY as exc:
        _log.warning("ledger away", error=type(exc).__name__)
        return None


async def read_progress(stores: Stores, upload: Upload, *, verify: bool = False) -> Progress:
    """Return the progress of ``upload``; with ``verify`` S3 is asked and the ledger repaired."""
    total = upload.plan.chunk_count
    if upload.phase is Phase.COMPLETED or upload.awaits_hashing:
        return Progress(total, frozenset(range(total)), frozenset())
    if upload.phase is Phase.FAILED:
        return Progress(total, frozenset(), frozenset())
    chunks = None if verify else await ledger_or_nothing(stores.ledger.read(upload.id))
    if chunks is None:
        held = await rebuild_ledger(stores, upload)
        chunks = Chunks(frozenset(held), frozenset())
    return Progress(total, chunks.uploaded, chunks.failed)


async def rebuild_ledger(stores: Stores, upload: Upload) -> dict[int, str]:
    """Ask S3 which chunks it holds rightly, and let the ledger say the same.

    While an upload is ASSEMBLING its ledger stays gone: it would take no reports of chunks.
    """
    held: dict[int, str] = {}
    if upload.multipart_id is not None:
        async with stores.pool.connection() as conn:
            digests = await signings.read_digests(conn, upload.id)
        try:
            listed = await stores.bucket.list_parts(
                upload.object_key, upload.multipart_id, upload.plan
            )
        except MultipartGoneError:
            listed = []
        held = held_chunks(upload.plan, digests, listed)
    if upload.phase is not Phase.ASSEMBLING:
        await ledger_or_nothing(stores.ledger.rebuild(upload, held))
    return held
