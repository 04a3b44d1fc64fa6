"""What happens behind the service's back: to its objects, multiparts, Redis, and to time."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from redis.asyncio import Redis

from coordinator.adapters.bucket import ObjectFacts
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.uploads import Upload
from tests.builders import row_of
from tests.faults.journal import Journal
from tests.faults.scenarios import Trouble
from tests.operations.decoys import assemble_decoy
from tests.operations.dying import abort_in_s3, assemble_in_s3

is_behind: Final[ContextVar[bool]] = ContextVar("is_behind", default=False)

# Whoever died holds its lease no more, and nobody has looked at anything for a while.
_PASS_TIME: Final = """
UPDATE uploads SET lease_until = lease_until - interval '1 hour'
 WHERE lease_until > clock_timestamp();
UPDATE uploads
   SET updated_at = updated_at - interval '1 hour', looked_at = looked_at - interval '1 hour'
 WHERE phase NOT IN ('COMPLETED', 'FAILED');
UPDATE signings SET signed_at = signed_at - interval '1 hour';
UPDATE duties SET due_at = due_at - interval '1 day';
UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour';
UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - interval '1 hour'
 WHERE status = 'todo' AND scheduled_at IS NOT NULL
"""


async def pass_time(stores: Stores) -> None:
    """Let an hour pass: nothing of this process may be under way."""
    async with stores.pool.connection() as conn:
        await conn.execute(_PASS_TIME)


@contextmanager
def _unseen() -> Iterator[None]:
    """No crash point counts what others do."""
    token = is_behind.set(True)
    try:
        yield
    finally:
        is_behind.reset(token)


class Meddler:
    """Everybody else who can reach the stores."""

    def __init__(self, stores: Stores, redis: Redis, journal: Journal, prefix: str) -> None:
        self._stores = stores
        self._redis = redis
        self._journal = journal
        self._prefix = prefix

    async def meddle(self, trouble: Trouble, upload: str, body: bytes) -> None:
        """Make trouble, once for an upload."""
        if self._has(trouble, upload):
            return
        row = await row_of(self._stores.pool, upload)
        with _unseen():
            await self._make(trouble, row, body)

    def _has(self, trouble: str, upload: str) -> bool:
        lines = self._journal.lines()
        return any(
            (line.word, line.call, line.upload) == ("did", trouble, upload) for line in lines
        )

    def _did(self, trouble: str, row: Upload) -> None:
        self._journal.write(word="did", call=trouble, upload=row.public_id, key=row.object_key)

    async def _make(self, trouble: Trouble, row: Upload, body: bytes) -> None:
        self._did(trouble, row)
        match trouble:
            case "flush-opened" | "flush-sent":
                await self._redis.flushdb()
            case "assembled":
                await self._assemble(row)
            case "gone":
                await self._abort(row)
            case "damaged":
                await assemble_decoy(self._stores, row, body or b"other", "bytes")
            case "foreign":
                await assemble_decoy(self._stores, row, body or b"other", "token")
            case "swapped":
                await self._swap(row, body)
            case "orphan":
                key = f"{self._prefix}/default/{row.public_id}-nobodys/orphan.bin"
                await self._stores.bucket.create_multipart(key, token="0" * 32, file_type="x/y")

    async def _assemble(self, row: Upload) -> None:
        if row.phase == "UPLOADING":
            try:
                await assemble_in_s3(self._stores, row.public_id)
            except CoordinatorError:
                return  # chunks are missing yet

    async def _abort(self, row: Upload) -> None:
        if row.phase == "UPLOADING" and row.multipart_id is not None:
            await abort_in_s3(self._stores, row.public_id)

    async def _swap(self, row: Upload, body: bytes) -> None:
        """Replace the object, its token kept, while it waits for a worker to read it."""
        if row.awaits_hashing:
            await self._stores.bucket.delete(row.object_key)
            await assemble_decoy(self._stores, row, body, "bytes")

    async def clear_the_way(self, upload: str) -> None:
        """Take the foreign object away, as its owner would, having seen that it is still there."""
        row = await row_of(self._stores.pool, upload)
        found = await self._stores.bucket.facts(row.object_key)
        if not self._is_foreign(row, found):
            if self._has("foreign", upload) and not self._has("cleared", upload):
                self._did("found-foreign-gone", row)
            return
        self._did("cleared", row)
        await self._stores.bucket.delete(row.object_key)

    @staticmethod
    def _is_foreign(row: Upload, found: ObjectFacts | None) -> bool:
        return found is not None and found.token != row.token
