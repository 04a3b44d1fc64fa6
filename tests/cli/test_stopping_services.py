"""SIGTERM: told to the load balancer first, then obeyed, nobody's request failing."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from coordinator.embedded import Addresses
from tests.builders import ask_urls, complete, open_upload, put, uuid_of
from tests.faults.warm import WarmProgram
from tests.sdk.installation import free_port, prepared

_LONG: Final = 300  # a drain that no test could wait for
_HUNG_UP: Final = 0

Start = Callable[[int], tuple[WarmProgram, httpx.AsyncClient]]


@pytest.fixture(scope="module")
def installed(servers: Addresses) -> tuple[dict[str, str], str]:
    """A database for the module's services; no worker runs on it."""
    return prepared(servers, database=f"stopping_{os.getpid()}")


@pytest.fixture
def start(installed: tuple[dict[str, str], str], tmp_path: Path) -> Iterator[Start]:
    """Start a service that drains for so many seconds; a client of it comes along."""
    environ, key = installed
    started = []

    def begin(drain_seconds: int) -> tuple[WarmProgram, httpx.AsyncClient]:
        port = free_port()
        own = {"COORDINATOR_PORT": str(port), "COORDINATOR_DRAIN_SECONDS": str(drain_seconds)}
        service = WarmProgram("serve", {**environ, **own}, tmp_path / "service.log")
        service.start()
        started.append(service)
        headers = {"Authorization": f"Bearer {key}"}
        address = f"http://127.0.0.1:{port}"
        return service, httpx.AsyncClient(base_url=address, headers=headers, timeout=60.0)

    yield begin
    for service in started:
        service.kill()


async def _until(client: httpx.AsyncClient, answer: int | None) -> None:
    """Return once ``/readyz`` answers that, or nobody listens any more."""
    async with asyncio.timeout(60):
        while True:
            if await _readiness(str(client.base_url)) == answer:
                return
            await asyncio.sleep(0.02)


async def _readiness(address: str) -> int | None:
    # A connection of its own: an old one is served even when nobody listens.
    async with httpx.AsyncClient(timeout=60.0) as other:
        try:
            return (await other.get(f"{address}/readyz")).status_code
        except httpx.ConnectError:
            return None
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # It came in when the listener was about to close: the next one is refused.
            return _HUNG_UP


async def _status_of(asked: Awaitable[httpx.Response]) -> int:
    try:
        return (await asked).status_code
    except httpx.TransportError:
        return _HUNG_UP


async def _sent(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> str:
    upload_id = await open_upload(client, 3)
    [signed] = (await ask_urls(client, upload_id, {0: b"abc"})).json()["chunks"]
    assert (await put(s3_http, signed, b"abc")).is_success
    return upload_id


@asynccontextmanager
async def _held(database_url: str, *upload_ids: str) -> AsyncIterator[None]:
    """Hold the rows of uploads, so that completing them takes until the end of the block."""
    async with await psycopg.AsyncConnection.connect(database_url, row_factory=dict_row) as conn:
        ids = [uuid_of(upload_id) for upload_id in upload_ids]
        await conn.execute("SELECT 1 FROM uploads WHERE id = ANY (%s) FOR UPDATE", [ids])
        yield


async def _waiting(database_url: str, count: int) -> None:
    """Return once so many of the service's transactions wait for a lock."""
    query = """
    SELECT count(*) AS n FROM pg_stat_activity
     WHERE wait_event_type = 'Lock' AND datname = current_database()
    """
    async with (
        asyncio.timeout(60),
        await psycopg.AsyncConnection.connect(
            database_url, autocommit=True, row_factory=dict_row
        ) as conn,
    ):
        while True:
            row = await (await conn.execute(query)).fetchone()
            if row is not None and row["n"] == count:
                return
            await asyncio.sleep(0.02)


async def test_what_is_under_way_is_finished_and_what_comes_is_served_while_it_drains(
    start: Start, installed: tuple[dict[str, str], str], s3_http: httpx.AsyncClient
) -> None:
    """Also a completion whose client has hung up; then the process ends well."""
    database_url = installed[0]["COORDINATOR_DATABASE_URL"]
    service, client = start(_LONG)
    async with client, asyncio.TaskGroup() as group:
        await _until(client, 200)
        awaited, left = [await _sent(client, s3_http) for _ in "ab"]
        async with _held(database_url, awaited, left):
            answer = group.create_task(complete(client, awaited))
            hung_up = group.create_task(complete(client, left))
            await _waiting(database_url, 2)
            hung_up.cancel()
            service.tell(signal.SIGTERM)
            await _until(client, 503)
            draining = await client.get("/readyz")
            served = await client.get("/api/uploads")
            service.tell(signal.SIGTERM)
            await _until(client, None)
            assert service.wait(0) is None
        completed = await answer

    assert service.wait() == 0
    assert (draining.status_code, draining.json()["status"]) == (503, "draining")
    assert (served.status_code, served.headers["connection"]) == (200, "close")
    assert (completed.status_code, completed.json()["status"]) == (200, "completed")
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        cursor = await conn.execute("SELECT DISTINCT phase FROM uploads")
        assert await cursor.fetchall() == [("COMPLETED",)]


async def test_draining_ends_by_itself(start: Start) -> None:
    """After the time that the setting says, and not before: load balancers count on it."""
    service, client = start(1)
    async with client:
        await _until(client, 200)
        begun = time.monotonic()
        service.tell(signal.SIGTERM)

        code = await asyncio.to_thread(service.wait)

    assert code == 0
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)], ids=["Ctrl-C", "twice"]
)
async def test_ctrl_c_and_a_second_signal_end_the_draining(
    start: Start, signals: tuple[signal.Signals, ...]
) -> None:
    """Whoever sits in front of it does not want to wait for a load balancer."""
    service, client = start(_LONG)
    async with client:
        await _until(client, 200)
        for number in signals:
            service.tell(number)
            await asyncio.sleep(0.3)

        code = await asyncio.to_thread(service.wait, 30.0)

    assert code == 0


async def test_one_more_signal_ends_what_is_under_way(
    start: Start, installed: tuple[dict[str, str], str], s3_http: httpx.AsyncClient
) -> None:
    """It fails for its client, and nothing is decided: it may be asked again."""
    database_url = installed[0]["COORDINATOR_DATABASE_URL"]
    service, client = start(0)
    async with client, asyncio.TaskGroup() as group:
        await _until(client, 200)
        upload_id = await _sent(client, s3_http)
        async with _held(database_url, upload_id):
            answer = group.create_task(_status_of(complete(client, upload_id)))
            await _waiting(database_url, 1)
            service.tell(signal.SIGTERM)
            await _until(client, None)
            assert service.wait(0) is None
            service.tell(signal.SIGTERM)
            code = await asyncio.to_thread(service.wait, 30.0)
            assert await answer in {500, _HUNG_UP}

    assert code == 0
