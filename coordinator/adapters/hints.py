"""Hints that an upload has changed, by Redis' pub/sub: one connection for the whole process.

Rule: a hint says look, and nothing of what there is to see. Hints may be lost, come twice or late;
whoever waits for them looks now and then without one, and more often while :attr:`Hints.are_live`
is false.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Final, Literal
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from coordinator.adapters.ledger import channel
from coordinator.adapters.tasks import end

_log = structlog.get_logger(__name__)

Hint = Literal["progress", "state"]  # chunks were reported, or anything may have changed
Wake = Callable[[Hint], None]

_CONNECT_SECONDS: Final = 2.0
_QUIET_SECONDS: Final = 2.5  # after this much silence Redis is asked whether it is still there
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class Hints:
    """Who waits for hints of which upload. Opened and closed by :func:`open_hints`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._wakes: dict[bytes, Wake] = {}
        self._changed = asyncio.Event()
        self.are_live = False

    def add(self, upload_id: UUID, wake: Wake) -> None:
        """Call ``wake`` at every hint of an upload, and whenever hints may have been lost."""
        self._wakes[channel(upload_id).encode()] = wake
        self._changed.set()

    def remove(self, upload_id: UUID) -> None:
        """Wait for hints of this upload no more."""
        self._wakes.pop(channel(upload_id).encode(), None)
        self._changed.set()

    async def run(self) -> None:
        """Keep the connection, from the first upload that is waited for until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            await self._changed.wait()
            try:
                async with self._redis.pubsub() as pubsub:
                    await self._listen(pubsub)
            except (RedisError, OSError) as exc:
                _log.info("hints away", error=type(exc).__name__)
                pause = _FIRST_PAUSE if self.are_live else min(2 * pause, _LONGEST_PAUSE)
            finally:
                self._lost()
            await asyncio.sleep(pause)

    def _lost(self) -> None:
        self.are_live = False
        self._changed.set()
        self._wake_all()

    def _wake_all(self) -> None:
        for wake in list(self._wakes.values()):
            wake("state")

    async def _listen(self, pubsub: PubSub) -> None:
        """Read and subscribe side by side, until one of them fails."""
        await pubsub.ping()  # connects
        sides = [
            asyncio.create_task(side) for side in (self._read(pubsub), self._subscribe(pubsub))
        ]
        try:
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(sides)
        for side in sides:
            if not side.cancelled():
                side.result()

    async def _subscribe(self, pubsub: PubSub) -> None:
        held: set[bytes] = set()
        while True:
            self._changed.clear()
            wanted = set(self._wakes)
            if added := wanted - held:
                await pubsub.subscribe(*added)
            if removed := held - wanted:
                await pubsub.unsubscribe(*removed)
            held = wanted
            await self._changed.wait()

    async def _read(self, pubsub: PubSub) -> None:
        is_asked = False
        while True:
            message = await pubsub.get_message(timeout=_QUIET_SECONDS)
            if message is not None:
                is_asked = False
                self._hear(message["type"], message["channel"], message["data"])
            elif is_asked:
                raise TimeoutError("Redis is silent.")
            else:
                is_asked = True
                await pubsub.ping()

    def _hear(self, kind: str, source: bytes, data: object) -> None:
        """Pass a hint on. That a subscription stands is one, too: what was before it is lost."""
        if kind not in {"message", "subscribe"}:
            return
        self.are_live = True
        wake = self._wakes.get(source)
        if wake is not None:
            wake("progress" if data == b"progress" else "state")


@asynccontextmanager
async def open_hints(redis_url: str) -> AsyncGenerator[Hints]:
    """Listen for hints until the block ends. Nothing connects before somebody waits for one."""
    async with Redis.from_url(
        redis_url,
        client_name="coordinator-events",
        socket_timeout=_CONNECT_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    ) as redis:
        hints = Hints(redis)
        listening = asyncio.create_task(hints.run(), context=Context())
        try:
            yield hints
        finally:
            await end([listening])
