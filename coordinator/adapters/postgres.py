"""The pool, and the one way to open a transaction."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from coordinator.adapters import bounded_pool
from coordinator.adapters.traced_pool import TracedConnection, TracedPool

Tx = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Tx]


@asynccontextmanager
async def new_pool(database_url: str, *, max_size: int) -> AsyncGenerator[Pool]:
    """Open a bounded pool; a request that Postgres does not answer in 12 s is unavailable."""
    set_json_dumps(msgspec.json.encode)
    set_json_loads(msgspec.json.decode)
    kwargs: dict[str, Any] = {
        "row_factory": dict_row,
        "autocommit": True,
        "connect_timeout": bounded_pool.CONNECT_SECONDS,
        **bounded_pool.KEEPALIVES,
    }
    pool: Pool = TracedPool(
        database_url,
        min_size=1,
        max_size=max_size,
        timeout=bounded_pool.WAIT_SECONDS,
        max_waiting=bounded_pool.MAX_WAITING,
        reconnect_timeout=bounded_pool.RECONNECT_SECONDS,
        kwargs=kwargs,
        connection_class=TracedConnection[DictRow],
        configure=bounded_pool.bound_server,
        open=False,
    )
    async with pool:
        yield pool


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncGenerator[Tx]:
    """Commit on success, roll back on any exception. Never call S3 inside."""
    async with pool.connection() as conn, conn.transaction():
        yield conn


_TIME: Final = "SELECT clock_timestamp() AS as_of"


async def read_time(tx: Tx) -> datetime:
    """Return the time by the one clock that decides."""
    row = await (await tx.execute(_TIME)).fetchone()
    assert row is not None, "this query always has a row"
    as_of: datetime = row["as_of"]
    return as_of
