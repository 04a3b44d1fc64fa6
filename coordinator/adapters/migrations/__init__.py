"""The schema, forward only. Each file is safe while the previous release still runs.

``search.sql`` is the one file that may change, for all of it may run again. It needs pgvector,
which a server may lack, and get later.
"""

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Final, LiteralString

from procrastinate import schema
from psycopg import AsyncConnection

from coordinator.adapters.migrations import grants

_LOCK_NUMBER: Final = 0x75706C6F  # any constant of ours: two migrators wait for each other

_BEGIN: Final = """
SET LOCAL lock_timeout = '10s';
CREATE TABLE IF NOT EXISTS schema_migrations (
  name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""

_APPLIED: Final = "SELECT name, sha256 FROM schema_migrations"
_RECORD: Final = """
INSERT INTO schema_migrations (name, sha256) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, applied_at = now()
"""
_SEARCH: Final = "search"
# Half-precision vectors came with 0.7, filters that do not starve a search with 0.8.
_PGVECTOR: Final = """
SELECT bool_or(installed
               OR (NOT superuser OR trusted
                   OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
                  AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = name))
  FROM pg_available_extension_versions
 WHERE name = 'vector'
   AND CASE WHEN version ~ '^[0-9.]+$' THEN string_to_array(version, '.')::int[] >= '{0,8}' END
"""
_QUEUE: Final = "9000_procrastinate"
_CONNECT_SECONDS: Final = 10


class MigrationChangedError(Exception):
    """A migration that was applied before reads differently now; write a new one instead."""


def available() -> dict[str, LiteralString]:
    """Return the migrations by name, in order; the queue's own schema is the last."""
    files = sorted(
        (entry for entry in resources.files(__package__).iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    texts = {entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8") for entry in files}
    return {**texts, _QUEUE: schema.SchemaManager.get_schema()}


async def migrate(
    database_url: str, *, service_role: str | None = None, password: str | None = None
) -> list[str]:
    """Apply what is not applied yet, all in one transaction, and return the names.

    ``service_role``: the role that service and worker run as. It is created where there is none,
    with ``password`` it may log in, and from now on every migration grants it what it needs.

    Raises:
        MigrationChangedError: an applied file was edited afterwards.
        OwnerAsServiceRoleError: the role can do everything, whatever it is granted.

    """
    async with await AsyncConnection.connect(
        database_url, connect_timeout=_CONNECT_SECONDS
    ) as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_NUMBER])
        await conn.execute(_BEGIN)
        applied = await _read_applied(conn)
        fresh = []
        wanted = await _wanted(conn)
        for name, text in wanted.items():
            digest = _digest(text)
            if _is_due(name, digest, applied):
                await conn.execute(text)
                await conn.execute(_RECORD, [name, digest])
                fresh.append(name)
            elif applied[name] != digest and name != _QUEUE:
                raise MigrationChangedError(f"Migration {name} was changed after it was applied.")
        if service_role is not None:
            await grants.add_role(conn, service_role, password=password)
        await grants.grant(conn)
        return fresh


async def pending(database_url: str) -> list[str]:
    """Return what :func:`migrate` would apply."""
    async with await AsyncConnection.connect(
        database_url, connect_timeout=_CONNECT_SECONDS
    ) as conn:
        cursor = await conn.execute("SELECT to_regclass('schema_migrations')")
        row = await cursor.fetchone()
        wanted = await _wanted(conn)
        if row is None or row[0] is None:
            return list(wanted)
        applied = await _read_applied(conn)
        return [name for name, text in wanted.items() if _is_due(name, _digest(text), applied)]


async def _wanted(conn: AsyncConnection) -> dict[str, LiteralString]:
    """Return what this database can have, of what is there."""
    row = await (await conn.execute(_PGVECTOR)).fetchone()
    can_search = row is not None and row[0]
    return {name: text for name, text in available().items() if can_search or name != _SEARCH}


def _is_due(name: str, digest: str, applied: Mapping[str, str]) -> bool:
    return name not in applied or (name == _SEARCH and applied[name] != digest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def _read_applied(conn: AsyncConnection) -> dict[str, str]:
    cursor = await conn.execute(_APPLIED)
    return {row[0]: row[1] for row in await cursor.fetchall()}
