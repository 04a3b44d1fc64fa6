"""The schema: applied once, whoever comes, and never changed behind anybody's back."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from coordinator.adapters.migrations import (
    MigrationChangedError,
    available,
    migrate,
    pending,
)
from coordinator.embedded import Addresses

_ALL = ["0001_create_uploads", "0002_create_jobs", "0003_create_keys_and_audit"]
_QUEUE = "9000_procrastinate"


@pytest.fixture
async def empty(servers: Addresses) -> AsyncGenerator[str]:
    """An empty database, dropped afterwards."""
    name = f"empty_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(servers.database_url, autocommit=True) as conn:
        await conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield servers.database_url.rsplit("/", 1)[0] + "/" + name
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        await conn.execute(drop.format(sql.Identifier(name)))


async def _fetch(database_url: str, query: sql.SQL) -> list[tuple[str | None, ...]]:
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        return await (await conn.execute(query)).fetchall()


async def _applied(database_url: str) -> list[tuple[str | None, ...]]:
    query = sql.SQL("SELECT name, applied_at::text FROM schema_migrations ORDER BY name")
    return await _fetch(database_url, query)


async def test_an_empty_database_gets_every_migration_in_order(empty: str) -> None:
    """The queue's own schema comes last, whatever numbers ours get to."""
    before = await pending(empty)

    done = await migrate(empty)

    assert before == done == list(available())
    assert [*done[:3], done[-1]] == [*_ALL, _QUEUE]
    assert await pending(empty) == []


async def test_migrating_again_changes_nothing(empty: str) -> None:
    """Every start of the service may migrate."""
    await migrate(empty)
    before = await _applied(empty)

    done = await migrate(empty)

    assert done == []
    assert await _applied(empty) == before


async def test_two_migrators_at_once_apply_everything_once(empty: str) -> None:
    """A rolling start runs several."""
    both = await asyncio.gather(migrate(empty), migrate(empty))

    assert sorted(both) == [[], list(available())]
    assert [name for name, _ in await _applied(empty)] == sorted(available())


async def test_a_changed_migration_is_refused_and_nothing_applied(empty: str) -> None:
    """A database that differs from its files without anybody knowing is the worst of all."""
    await migrate(empty)
    async with await psycopg.AsyncConnection.connect(empty) as conn:
        await conn.execute("UPDATE schema_migrations SET sha256 = 'x' WHERE name LIKE '0003%'")
        await conn.execute("DELETE FROM schema_migrations WHERE name LIKE '0002%'")
        await conn.execute("DROP TABLE jobs CASCADE")

    with pytest.raises(MigrationChangedError, match="0003_create_keys_and_audit"):
        await migrate(empty)

    assert await pending(empty) == ["0002_create_jobs"]
    assert await _fetch(empty, sql.SQL("SELECT to_regclass('jobs')::text")) == [(None,)]


async def test_a_migration_that_came_later_is_the_only_one_applied(empty: str) -> None:
    """What was applied before stays as it is."""
    await migrate(empty)
    async with await psycopg.AsyncConnection.connect(empty) as conn:
        await conn.execute("DELETE FROM schema_migrations WHERE name LIKE '0003%'")
        await conn.execute("DROP TABLE api_keys, audit")

    assert await pending(empty) == ["0003_create_keys_and_audit"]
    assert await migrate(empty) == ["0003_create_keys_and_audit"]
    assert await _fetch(empty, sql.SQL("SELECT count(*)::text FROM audit")) == [("0",)]
