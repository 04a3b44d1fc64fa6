"""What PostgreSQL and Redis say of themselves."""

from datetime import datetime
from typing import Final

import msgspec
from psycopg import AsyncConnection
from redis.asyncio import Redis

_SECONDS: Final = 5


class PostgresFacts(msgspec.Struct, frozen=True):
    """Its version, the time that it has, and what the role that we are may do to the audit."""

    version: int  # 180006 is 18.6
    time: datetime
    may_change_audit: bool | None  # None: there is no audit yet


class RedisFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Version and settings that matter to a cache; empty where the server does not tell."""

    product: str
    version: str
    eviction: str
    limit_bytes: int
    keeps_log: bool  # the append-only file
    saves_snapshots: bool


_ASK: Final = """
SELECT current_setting('server_version_num')::int, clock_timestamp(),
       (SELECT bool_or(has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE')
                       OR has_any_column_privilege(oid, 'UPDATE')
                       OR pg_has_role(relowner, 'MEMBER'))
          FROM pg_class WHERE oid IN (to_regclass('audit'), to_regclass('audit_chain')))
"""


async def ask_postgres(database_url: str) -> PostgresFacts:
    """Connect, and ask."""
    async with await AsyncConnection.connect(database_url, connect_timeout=_SECONDS) as conn:
        row = await (await conn.execute(_ASK)).fetchone()
    assert row is not None
    return PostgresFacts(*row)


async def ask_redis(redis_url: str) -> RedisFacts:
    """Connect, and ask with INFO, which managed servers allow too."""
    async with Redis.from_url(
        redis_url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
    ) as redis:
        told = await redis.info()
    own = told.get("valkey_version")
    return RedisFacts(
        product="Valkey" if own else "Redis",
        version=str(own or told.get("redis_version", "")),
        eviction=str(told.get("maxmemory_policy", "")),
        limit_bytes=int(told.get("maxmemory", 0)),
        keeps_log=bool(told.get("aof_enabled")),
        saves_snapshots=int(told.get("rdb_saves", 0)) > 0,
    )
