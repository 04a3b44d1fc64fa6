"""The index of vectors comes with pgvector, whenever that comes, and everything else without."""

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from coordinator.adapters.migrations import available, migrate, pending
from coordinator.embedded import Addresses

_HAS_TABLE = "SELECT to_regclass('embedded_rows') IS NOT NULL"


class Place(NamedTuple):
    """An empty database, as its owner and as an administrator reaches it."""

    owners: str
    admins: str


@pytest.fixture
async def place(servers: Addresses) -> AsyncGenerator[Place]:
    """A database whose owner may create no extension that is not trusted, as pgvector is not."""
    name = f"owned_{uuid4().hex}"
    named = sql.Identifier(name)
    parts = urlsplit(servers.database_url)
    there = parts._replace(path=f"/{name}")
    owners = there._replace(netloc=f"{name}:secret@{parts.netloc.rpartition('@')[2]}")
    async with await psycopg.AsyncConnection.connect(servers.database_url, autocommit=True) as conn:
        await conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(named))
        await conn.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(named))
        yield Place(urlunsplit(owners), urlunsplit(there))
        await conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(named))
        await conn.execute(sql.SQL("DROP ROLE {}").format(named))


async def _ask(database_url: str, statement: Any) -> Any:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        cursor = await conn.execute(statement)
        row = await cursor.fetchone() if cursor.description else None
        return None if row is None else row[0]


async def test_without_pgvector_all_the_rest_is_there(place: Place) -> None:
    """And nothing is said to be missing: a service starts."""
    before = await pending(place.owners)

    done = await migrate(place.owners)

    assert before == done == [name for name in available() if name != "search"]
    assert await pending(place.owners) == []
    assert await _ask(place.owners, _HAS_TABLE) is False


async def test_the_index_comes_with_the_first_migration_after_pgvector(place: Place) -> None:
    """Whenever an administrator has installed it."""
    await migrate(place.owners)
    await _ask(place.admins, "CREATE EXTENSION vector")

    before = await pending(place.owners)
    done = await migrate(place.owners)

    assert before == done == ["search"]
    assert await pending(place.owners) == []
    assert await _ask(place.owners, _HAS_TABLE) is True


async def test_an_older_pgvector_is_as_none(place: Place) -> None:
    """It has no half-precision vectors, or filters that starve a search."""
    await _ask(place.admins, "CREATE EXTENSION vector")
    await _ask(
        place.admins, "UPDATE pg_extension SET extversion = '0.6.0' WHERE extname = 'vector'"
    )

    assert "search" not in await pending(place.owners)


async def test_a_new_edition_of_the_file_is_run(place: Place) -> None:
    """All of it may run again, whatever of it is there."""
    await migrate(place.admins)
    await _ask(place.admins, "UPDATE schema_migrations SET sha256 = 'older' WHERE name = 'search'")

    before = await pending(place.admins)
    done = await migrate(place.admins)

    assert before == done == ["search"]
    assert await migrate(place.admins) == []
