"""Servers that differ in what they enforce, and the service as it starts on each."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from anyio import to_thread
from click.testing import CliRunner, Result
from litestar import Litestar
from psycopg.rows import DictRow, dict_row
from typing_extensions import override

from coordinator.adapters.stores import bucket_options
from coordinator.app import create_app
from coordinator.cli import main
from coordinator.domain.capabilities import Capabilities
from coordinator.embedded import Addresses
from coordinator.embedded import bucket as buckets
from coordinator.operations.learn_capabilities import learn_capabilities
from coordinator.settings import Settings
from tests.forwarding import Forwarding, Request, passing_to, serving
from tests.localstack import S3Address
from tests.moto_server import running_moto

Run = Callable[..., Awaitable[Result]]
RunOnBucket = Callable[..., Run]


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Address]:
    """An S3 that checks nothing, of this worker's own."""
    with running_moto(Path(tmp_path_factory.mktemp("moto"))) as address:
        yield address


@pytest.fixture(scope="session")
def careless(moto: S3Address) -> Iterator[S3Address]:
    """The same, and it replaces objects too: moto without the header that forbids it."""
    pass_on = passing_to(moto.s3_endpoint)

    class Careless(Forwarding):
        @override
        def meet(self, request: Request) -> None:
            headers = {
                name: value
                for name, value in request.headers.items()
                if name.lower() != "if-none-match"
            }
            self.answer(pass_on(request._replace(headers=headers)))

    with serving(Careless) as endpoint:
        yield msgspec.structs.replace(moto, s3_endpoint=endpoint)


@pytest.fixture(scope="session", params=["seaweedfs", "localstack", "moto"])
def s3_server(request: pytest.FixtureRequest, servers: Addresses) -> S3Address:
    """Each S3 server in turn; the tests of a module may choose among them."""
    if request.param == "seaweedfs":
        return msgspec.convert(msgspec.to_builtins(servers), S3Address)
    address: S3Address = request.getfixturevalue(request.param)
    return address


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
    """A connection as start-up has one."""
    connect = psycopg.AsyncConnection[DictRow].connect
    async with await connect(database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


@pytest.fixture
async def capabilities(settings: Settings, conn: psycopg.AsyncConnection[DictRow]) -> Capabilities:
    """What start-up learns of the server."""
    return await learn_capabilities(
        conn, bucket_options(settings), prefix=settings.s3_prefix, patience=timedelta(0)
    )


@pytest.fixture
async def app(settings: Settings, capabilities: Capabilities) -> AsyncIterator[Litestar]:
    """The service as it starts where the operator accepted what is lacking."""
    service = create_app(settings, capabilities)
    async with service.lifespan():
        yield service


@pytest.fixture
def s3(s3_server: S3Address) -> Iterator[Any]:
    """The server as who owns the bucket sees it."""
    client = buckets.client(
        s3_server.s3_endpoint, access_key=s3_server.access_key, secret_key=s3_server.secret_key
    )
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket without any rules, of the test's own."""
    name = f"doctor-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def run_on_bucket(environ: dict[str, str], bucket: str) -> RunOnBucket:
    """Return a function that takes settings, and returns one that runs commands by them."""

    def with_settings(**changes: str) -> Run:
        usual = {
            **environ,
            "COORDINATOR_S3_BUCKET": bucket,
            "COORDINATOR_S3_PREFIX": "datasets",
            **changes,
        }

        async def run(*arguments: str, **variables: str) -> Result:
            return await to_thread.run_sync(
                lambda: CliRunner().invoke(main, arguments, env={**usual, **variables})
            )

        return run

    return with_settings
