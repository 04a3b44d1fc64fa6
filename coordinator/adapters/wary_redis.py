"""A Redis client that never waits for long, and remembers for a moment that Redis was away.

Whoever asks can do without: what Redis lacks, Postgres and S3 know. All ways in which it can fail
to serve end as redis-py's ``ConnectionError`` or ``TimeoutError``.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from typing_extensions import override

_CONNECTIONS: Final = 32
_SOCKET_SECONDS: Final = 2.0
_QUEUE_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 1.0
# As long as one attempt can last: connecting, and asking.
_ATTEMPT_SECONDS: Final = 2 * _SOCKET_SECONDS

# It answers, but cannot serve: full, a replica after a failover, or unable to write its disk.
_USELESS: Final = (OutOfMemoryError, ReadOnlyError, ClusterDownError)
_CANNOT_SAVE: Final = "MISCONF"


class WaryRedis(Redis):
    """After a failure nobody asks for 1 s; then one request tries, and the others do without."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asks_again_at = 0.0  # before it, nobody asks; 0 while Redis answers
        # A pool that blocks would do as well, and costs 40 µs a call.
        self._places = asyncio.Semaphore(_CONNECTIONS)

    @override
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, unless Redis was away a moment ago."""
        if self._places.locked():
            await self._queue()
        else:
            await self._places.acquire()
        try:
            return await self._ask(*args, **options)
        finally:
            self._places.release()

    async def _queue(self) -> None:
        try:
            async with asyncio.timeout(_QUEUE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise RedisTimeoutError("Redis is asked too often.") from None

    async def _ask(self, *args: Any, **options: Any) -> Any:
        now = time.monotonic()
        if now < self._asks_again_at:
            raise RedisConnectionError("Redis was away a moment ago.")
        if self._asks_again_at:
            self._asks_again_at = now + _ATTEMPT_SECONDS
        send: Callable[..., Awaitable[Any]] = super().execute_command
        try:
            answer = await send(*args, **options)
        except (RedisConnectionError, RedisTimeoutError):
            self._asks_again_at = time.monotonic() + _PAUSE_SECONDS
            raise
        except ResponseError as exc:
            self._asks_again_at = 0.0
            if isinstance(exc, _USELESS) or str(exc).startswith(_CANNOT_SAVE):
                raise RedisConnectionError("Redis cannot serve.") from exc
            raise
        self._asks_again_at = 0.0
        return answer


@asynccontextmanager
async def open_redis(url: str) -> AsyncGenerator[Redis]:
    """Open a client of bounded connections; it connects when it is asked first."""
    pool = ConnectionPool.from_url(
        url,
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_SOCKET_SECONDS,
        # A connection that a restart of Redis has cut is replaced at once; silence is not retried.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    async with WaryRedis.from_pool(pool) as redis:
        yield redis
