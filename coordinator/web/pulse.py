"""Do the stores answer? Asked for machines that watch, who must not wait and may ask often."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Final, Generic, TypeVar

from coordinator.adapters import listing
from coordinator.adapters.stores import Stores
from coordinator.web.problems import UNAVAILABLE

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 2.0


class _Question(Generic[T]):
    """One question, under way once at most: whoever asks meanwhile gets the same answer."""

    def __init__(self, ask: Callable[[], Awaitable[T]], asked: set[asyncio.Task[Any]]) -> None:
        self._ask = ask
        self._asked = asked
        self._task: asyncio.Task[T | None] | None = None

    async def answer(self) -> T | None:
        """Return the answer, or ``None`` if there is none within 2 s."""
        task = self._task
        if task is None or task.done():
            self._task = task = asyncio.create_task(self._try(), context=Context())
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
        # Not of self._task: whoever asked since this one was done has put another there.
        return task.result() if done else None

    async def _try(self) -> T | None:
        try:
            return await self._ask()
        except UNAVAILABLE:
            return None


class Pulse:
    """What the stores answer now. ``background`` holds what is still asked when nobody waits."""

    def __init__(self, stores: Stores, background: set[asyncio.Task[Any]]) -> None:
        self._stores = stores
        self._postgres = _Question(self._ask_postgres, background)
        self._redis = _Question(stores.ledger.answers, background)
        self._count = _Question(self._count_open, background)

    async def of_stores(self) -> tuple[bool, bool]:
        """Say whether Postgres and whether Redis answer."""
        postgres, redis = await asyncio.gather(self._postgres.answer(), self._redis.answer())
        return postgres is not None, bool(redis)

    async def open_uploads(self) -> int | None:
        """Count the open uploads; ``None`` while Postgres is away."""
        return await self._count.answer()

    async def _ask_postgres(self) -> bool:
        async with self._stores.pool.connection(timeout=_PATIENCE_SECONDS) as conn:
            await conn.execute("SELECT 1")
        return True

    async def _count_open(self) -> int:
        async with self._stores.pool.connection(timeout=_PATIENCE_SECONDS) as conn:
            return await listing.count_open(conn)
