"""The pool, and the one way to open a transaction."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

Tx = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Tx]

_WAIT_SECONDS = 10.0


@asynccontextmanager
async def new_pool(database_url: str, *, max_size: int) -> AsyncGenerator[Pool]:
    """Open a bounded pool; a request that gets no connection in 10 s fails as unavailable."""
    set_json_dumps(msgspec.json.encode)
    set_json_loads(msgspec.json.decode)
    kwargs: dict[str, Any] = {"row_factory": dict_row, "autocommit": True}
    pool: Pool = AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=max_size,
        timeout=_WAIT_SECONDS,
        kwargs=kwargs,
        connection_class=AsyncConnection[DictRow],
        open=False,
    )
    async with pool:
        yield pool


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncGenerator[Tx]:
    """Commit on success, roll back on any exception. Never call S3 inside."""
    async with pool.connection() as conn, conn.transaction():
        yield conn
