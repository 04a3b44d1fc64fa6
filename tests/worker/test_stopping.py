"""A worker that is told to stop finishes what it has at hand, and hands on what takes too long."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from procrastinate import App, PsycopgConnector

from coordinator.adapters.stores import Stores
from coordinator.worker.stopping import HandedOn, work_until_told
from tests.builders import rows

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


class _Job:
    """A job that the test lets begin and end."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()

    async def run(self) -> None:
        self.began.set()
        await self.may_end.wait()


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[tuple[App, _Job]]:
    """A queue with two entries for a job, of which a worker takes one at a time."""
    app, job = App(connector=PsycopgConnector(conninfo=database_url, max_size=4)), _Job()

    @app.task(name="job", retry=HandedOn())
    async def _run() -> None:
        await job.run()

    async with app.open_async():
        for _ in "ab":
            await app.configure_task("job").defer_async()
        yield app, job


async def _entries(stores: Stores) -> list[tuple[str, int]]:
    found = await rows(stores.pool, "SELECT status, attempts FROM procrastinate_jobs ORDER BY id")
    return [(row["status"], row["attempts"]) for row in found]


async def _no_rounds(told: asyncio.Event) -> None:
    await told.wait()


@asynccontextmanager
async def _working(
    app: App,
    go_round: Callable[[asyncio.Event], Any] = _no_rounds,
    *,
    finish_seconds: float = 30.0,
) -> AsyncIterator[asyncio.Task[None]]:
    work = work_until_told(app, go_round, concurrency=1, finish_seconds=finish_seconds)
    task = asyncio.create_task(work)
    async with asyncio.timeout(20):
        yield task


def _tell() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await condition():
            return
        await asyncio.sleep(0.02)


async def test_the_job_and_the_duty_at_hand_are_finished_and_no_other_is_begun(
    queue: tuple[App, _Job], stores: Stores
) -> None:
    """And it looks alive meanwhile: a worker that starts would take its job for stalled."""
    app, job = queue
    duties = []

    async def go_round(told: asyncio.Event) -> None:
        await told.wait()
        await asyncio.sleep(0.2)
        duties.append("finished")

    async def looks_alive() -> bool:
        seen = await rows(
            stores.pool,
            "SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > now() - interval '20 s'",
        )
        return bool(seen)

    async with _working(app, go_round) as worker:
        await job.began.wait()
        async with stores.pool.connection() as conn:
            await conn.execute(
                "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '60 s'"
            )
        _tell()
        await _until(looks_alive)
        assert not worker.done()
        job.may_end.set()
        await worker

    assert await _entries(stores) == [("succeeded", 1), ("todo", 0)]
    assert duties == ["finished"]
    assert await rows(stores.pool, "SELECT 1 FROM procrastinate_workers") == []


@pytest.mark.parametrize(("finish_seconds", "signals"), [(0.3, 1), (30.0, 2)])
async def test_what_takes_too_long_goes_back_into_the_queue_at_once(
    queue: tuple[App, _Job], stores: Stores, finish_seconds: float, signals: int
) -> None:
    """Another worker takes it, without waiting until this one looks dead."""
    app, job = queue

    async with _working(app, finish_seconds=finish_seconds) as worker:
        await job.began.wait()
        for _ in range(signals):
            _tell()
            await asyncio.sleep(0.1)
        await worker
    handed_on = await _entries(stores)
    job.may_end.set()
    async with _working(app) as another:
        await _until(lambda: _all_done(stores))
        _tell()
        await another

    assert handed_on == [("todo", 1), ("todo", 0)]
    assert await _entries(stores) == [("succeeded", 2), ("succeeded", 1)]


async def _all_done(stores: Stores) -> bool:
    return {status for status, _ in await _entries(stores)} == {"succeeded"}
