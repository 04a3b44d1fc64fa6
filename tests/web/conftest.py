"""One service a module, because opening S3 clients costs a second; a tenant of its own a test."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import psycopg
import pytest
from litestar import Litestar
from psycopg import sql

from coordinator import settings as settings_module
from coordinator.adapters import keys
from coordinator.adapters.entropy import random_bytes
from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.domain.access import Role, Scope
from coordinator.domain.keys import ENTROPY_BYTES, hash_of, mint
from coordinator.embedded import Addresses
from coordinator.settings import Settings
from tests.conftest import MakeKey, client_of
from tests.localstack import S3Address

ORIGIN = "https://pages.example"


@pytest.fixture(scope="module")
async def database_url(servers: Addresses, template: str) -> AsyncGenerator[str]:
    """A database of the module's own."""
    name = f"web_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(servers.database_url, autocommit=True) as conn:
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        await conn.execute(clone.format(sql.Identifier(name), sql.Identifier(template)))
        yield servers.database_url.rsplit("/", 1)[0] + "/" + name
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        await conn.execute(drop.format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def settings(database_url: str, servers: Addresses, s3_server: S3Address) -> Settings:
    """The settings of the module's service."""
    return settings_module.read(
        {
            "COORDINATOR_DATABASE_URL": database_url,
            "COORDINATOR_REDIS_URL": servers.redis_url,
            "COORDINATOR_S3_ENDPOINT": s3_server.s3_endpoint,
            "COORDINATOR_S3_BUCKET": s3_server.s3_bucket,
            "COORDINATOR_S3_PREFIX": f"test_{uuid4().hex}",
            "COORDINATOR_SECRET": "a secret of the tests, long enough for all",
            "COORDINATOR_POOL_SIZE": "4",
            "COORDINATOR_CORS_ORIGINS": ORIGIN,
        }
    )


@pytest.fixture(scope="module")
async def app(settings: Settings, s3_server: S3Address) -> AsyncIterator[Litestar]:
    """The module's service. S3 clients take their credentials when they are opened."""
    service = create_app(settings)
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
        environ.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
        environ.setenv("AWS_DEFAULT_REGION", s3_server.s3_region)
        environ.delenv("AWS_SESSION_TOKEN", raising=False)
        opening = service.lifespan()
        await opening.__aenter__()
    yield service
    await opening.__aexit__(None, None, None)


@pytest.fixture(scope="module")
def stores(app: Litestar) -> Stores:
    """The stores of the module's service."""
    opened: Stores = app.state.stores
    return opened


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test knows."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def make_key(stores: Stores, settings: Settings, tenant: str) -> MakeKey:
    """Create API keys, of the test's tenant unless told otherwise."""
    own = tenant

    async def make(
        *,
        user: str = "alice",
        tenant: str | None = None,
        roles: tuple[Role, ...] = (Role.UPLOADER,),
        scopes: tuple[Scope, ...] = (),
        lifetime: timedelta | None = None,
    ) -> str:
        key = mint(random_bytes(ENTROPY_BYTES))
        async with stores.pool.connection() as conn:
            await keys.add(
                conn,
                key.key_id,
                key_hash=hash_of(key.text, secret=settings.secret),
                name="test",
                tenant=tenant or own,
                user_id=user,
                roles=roles,
                scopes=scopes,
                lifetime=lifetime,
            )
        return key.text

    return make


@pytest.fixture
async def client(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service with alice's key."""
    async with client_of(app, await make_key()) as opened:
        yield opened


@pytest.fixture
async def admin_key(make_key: MakeKey) -> str:
    """The key of the tenant's admin."""
    return await make_key(user="root", roles=(Role.ADMIN,))


@pytest.fixture
async def admin(app: Litestar, admin_key: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key of the tenant's admin."""
    async with client_of(app, admin_key) as opened:
        yield opened


@pytest.fixture
async def installer(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key of an admin of every tenant; its own is another one."""
    key = await make_key(
        tenant="installation", user="root", roles=(Role.ADMIN,), scopes=(Scope.EVERY_TENANT,)
    )
    async with client_of(app, key) as opened:
        yield opened
