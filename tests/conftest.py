"""What tests share: real servers, a fresh database each, the service as its users meet it."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Final, cast
from uuid import uuid4

import httpx
import psycopg
import pytest
from litestar import Litestar
from psycopg import sql

from coordinator import settings as settings_module
from coordinator.adapters.migrations import migrate
from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.cli.keys import create_key
from coordinator.domain.access import Role, Scope
from coordinator.embedded import Addresses
from coordinator.settings import Settings
from tests.localstack import S3Address

pytest_plugins = ["tests.servers"]

# These take longest: begun first, no worker waits for the last of them alone.
_LONGEST: Final = (
    "faults/test_stores_frozen",
    "faults/test_rolling_restarts",
    "faults/test_ten_thousand_chunks",
    "faults/test_crash_points",
    "embedded",
    "faults",
    "doctor",
    "sdk",
    "machine",
    "tracing",
    "docs",
)

MakeKey = Callable[..., Awaitable[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the rest stays in its order."""

    def rank(item: pytest.Item) -> int:
        name = item.nodeid.removeprefix("tests/")
        matches = (at for at, start in enumerate(_LONGEST) if name.startswith(start))
        return next(matches, len(_LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


def _worker_number() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _at(dsn: str, database: str) -> str:
    return dsn.rsplit("/", 1)[0] + "/" + database


@pytest.fixture(scope="session")
async def template(servers: Addresses) -> AsyncGenerator[str]:
    """A migrated database of this worker, to be cloned: 16 ms instead of the migrations."""
    name = f"template_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(servers.database_url, autocommit=True) as conn:
        await conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        await migrate(_at(servers.database_url, name))
        yield name


@pytest.fixture
async def database_url(servers: Addresses, template: str) -> AsyncGenerator[str]:
    """A fresh, migrated database, dropped afterwards."""
    name = f"test_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(servers.database_url, autocommit=True) as conn:
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        await conn.execute(clone.format(sql.Identifier(name), sql.Identifier(template)))
        yield _at(servers.database_url, name)
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        await conn.execute(drop.format(sql.Identifier(name)))


@pytest.fixture
def environ(
    database_url: str, servers: Addresses, s3_server: S3Address, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The variables of a service on the test's database, S3 server and Valkey database.

    As every installation has, it has a prefix of the bucket to itself.
    """
    for name in list(os.environ):
        if name.startswith(("COORDINATOR_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3_server.s3_region)
    return {
        "COORDINATOR_DATABASE_URL": database_url,
        "COORDINATOR_REDIS_URL": f"{servers.redis_url.rstrip('/')}/{_worker_number()}",
        "COORDINATOR_S3_ENDPOINT": s3_server.s3_endpoint,
        "COORDINATOR_S3_BUCKET": s3_server.s3_bucket,
        "COORDINATOR_S3_PREFIX": f"test_{uuid4().hex}",
        "COORDINATOR_SECRET": "a secret of the tests, long enough for all",
        "COORDINATOR_POOL_SIZE": "4",
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    """The settings of a service on the test's own stores."""
    return settings_module.read(environ)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Litestar]:
    """The service, its stores open."""
    service = create_app(settings)
    async with service.lifespan():
        yield service


@pytest.fixture
def stores(app: Litestar) -> Stores:
    """The stores of the running service."""
    opened: Stores = app.state.stores
    return opened


@pytest.fixture
def make_key(settings: Settings) -> MakeKey:
    """Create API keys for a user, a tenant and scopes, and return their texts."""

    async def make(
        *,
        user: str = "alice",
        tenant: str = "default",
        roles: tuple[Role, ...] = (Role.UPLOADER,),
        scopes: tuple[Scope, ...] = (),
    ) -> str:
        key = await create_key(
            settings,
            name="test",
            tenant=tenant,
            user=user,
            roles=roles,
            scopes=scopes,
            lifetime=None,
        )
        return key.text

    return make


@pytest.fixture
async def client(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service with alice's key."""
    async with client_of(app, await make_key()) as opened:
        yield opened


def client_of(app: Litestar, key: str | None) -> httpx.AsyncClient:
    """A client of the service; exceptions that no handler caught fly into the test."""
    headers: dict[str, Any] = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", app)), base_url="http://service", headers=headers
    )


@pytest.fixture
async def s3_http() -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP to S3, as a browser or curl would speak it."""
    async with httpx.AsyncClient(timeout=30.0) as opened:
        yield opened
