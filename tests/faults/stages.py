"""One process of a run: service, workers and clients together, until done or killed.

Rule: a stage knows nothing of the stages before it but what clients were answered; everything else
it finds in the stores, as after a real restart.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from litestar import Litestar
from procrastinate import App
from redis.asyncio import Redis

from coordinator import points
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.operations.sweep_bucket import sweep_bucket
from coordinator.points import Point
from coordinator.settings import Settings
from coordinator.worker import run as worker
from coordinator.worker.rounds import Duty, go_round
from tests.builders import rows, uuid_of
from tests.conftest import client_of
from tests.faults import files
from tests.faults.behind import Meddler, is_behind, pass_time
from tests.faults.clients import Client
from tests.faults.journal import Journal
from tests.faults.scenarios import Crash, Scenario, Trouble

_ROUNDS: Final = 8

_UNDER_WAY: Final = """
SELECT (SELECT count(*) FROM uploads WHERE phase = 'ASSEMBLING')
     + (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running'))
     + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) AS left
"""
_OPEN: Final = "SELECT id FROM uploads WHERE phase NOT IN ('COMPLETED', 'FAILED')"
_EXPIRE: Final = """
UPDATE uploads SET deadline = clock_timestamp() - interval '1 second' WHERE id = %s RETURNING id
"""


class Stage:
    """A process' life. The hook kills it where the scenario says."""

    def __init__(
        self, app: Litestar, settings: Settings, key: str, scenario: Scenario, journal: Journal
    ) -> None:
        self._app = app
        self._settings = settings
        self._key = key
        self.scenario = scenario
        self.journal = journal
        self.stage = 0
        self._passed: dict[Point, int] = {}

    async def live(self, stage: int, crash: Crash | None) -> None:
        """Do everything; with ``crash``, up to there."""
        self.stage = stage
        points.install(self._hook(crash))
        async with self._opened():
            if stage:
                await pass_time(self._stores)
            known = set()
            for name in self._begun():
                known.add(await Client(self, name).pursue())
                await self._bury_the_forgotten(known)
                if stage == 0 and self.scenario.point not in self._passed:
                    break
        self.journal.write(word="over")

    def _begun(self) -> list[str]:
        """Name the files: at first as many as it may take, later those that were begun."""
        begun = {line.file for line in self.journal.lines() if line.word == "ask"}
        return [name for name in files.names(self.scenario) if name in begun or not self.stage]

    def _hook(self, crash: Crash | None) -> Callable[[Point], None]:
        def passed(point: Point) -> None:
            if is_behind.get():
                return
            self._passed[point] = self._passed.get(point, 0) + 1
            self.journal.write(word="passed", call=point)
            if crash is not None and crash == Crash(point, self._passed[point]):
                os.kill(os.getpid(), signal.SIGKILL)

        return passed

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._app.lifespan())
            self._stores: Stores = self._app.state.stores
            self._redis = await stack.enter_async_context(Redis.from_url(self._settings.redis_url))
            self.service = await stack.enter_async_context(client_of(self._app, self._key))
            self.s3 = await stack.enter_async_context(httpx.AsyncClient(timeout=30.0, verify=False))
            self._queue: App = worker._app(self._stores, self._settings)
            await stack.enter_async_context(self._queue.open_async())
            self._meddler = Meddler(
                self._stores, self._redis, self.journal, self._settings.s3_prefix
            )
            self._count_sends()
            yield

    def _count_sends(self) -> None:
        def sends(request: Any, **_: object) -> None:
            if not is_behind.get():
                key = urlsplit(request.url).path.split("/", 2)[2]
                self.journal.write(word="send", key=key)

        self._stores.bucket._once.meta.events.register(
            "before-send.s3.CompleteMultipartUpload", sends
        )

    async def work(self) -> None:
        """Let workers come round until nothing is under way, time passing in between."""
        for _ in range(_ROUNDS):
            assert not self._app.state.background, "a request outlived its answer"
            await pass_time(self._stores)
            await self._go_round()
            if not await self._has_work():
                return

    async def _has_work(self) -> bool:
        return bool((await rows(self._stores.pool, _UNDER_WAY))[0]["left"])

    async def _go_round(self) -> None:
        """One round of every duty, and the queue until it is empty: what a worker does."""
        stopping = asyncio.Event()

        async def stop() -> None:
            stopping.set()

        duties = worker._duties(self._stores, self._queue)
        once: list[Awaitable[Any]] = [
            go_round(self._stores, [*duties, Duty("stop", stop)], stopping),
            self._queue.run_worker_async(
                wait=False, listen_notify=False, install_signal_handlers=False, concurrency=2
            ),
        ]
        if self.scenario.at_once > 1:
            await asyncio.gather(*once)
        else:
            for each in once:
                await each

    async def expire(self, upload: str) -> None:
        """Let an upload's deadline pass."""
        self.journal.write(word="did", call="expire", upload=upload)
        await rows(self._stores.pool, _EXPIRE, [uuid_of(upload)])

    async def meddle(self, trouble: Trouble, upload: str) -> None:
        """Do something behind the service's back, once for every upload."""
        if trouble in self.scenario.troubles:
            name = files.names(self.scenario)[0]
            body = b"".join(files.chunks_of(self.scenario.shape, name))
            await self._meddler.meddle(trouble, upload, body)

    async def clear_the_way(self, upload: str) -> None:
        """Let the owner of a foreign object take it away."""
        await self._meddler.clear_the_way(upload)

    async def _bury_the_forgotten(self, known: set[str]) -> None:
        """Let uploads expire of whose opening no client has heard, and sweep what is left."""
        still_open = await rows(self._stores.pool, _OPEN)
        forgotten = {ids.encode(ids.UPLOAD, row["id"]) for row in still_open} - known
        for upload in forgotten:
            await self.expire(upload)
        if forgotten or await self._has_work():
            await self.work()
        now = timedelta(0)
        await sweep_bucket(self._stores, self._settings.s3_prefix, older_than=now, quiet=now)
