"""A running service and its worker's duties, driven step by step: what the machine moves."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import httpx
import time_machine

from coordinator import points
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Upload
from coordinator.operations.complete_by_itself import complete_missed
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.sweep_bucket import sweep_bucket
from coordinator.operations.take_over_uploads import take_over_uploads
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from tests.builders import row_of, rows
from tests.conftest import client_of

T = TypeVar("T")

_NOW: Final = timedelta(0)


class DiedError(BaseException):
    """The process is gone: no handler of ours may catch this."""


class Fleet:
    """One service, its clients, and a worker that works when told to."""

    stores: Stores
    client: httpx.AsyncClient
    s3: httpx.AsyncClient

    def __init__(self, settings: Settings, key: str) -> None:
        self._settings = settings
        self._key = key
        self._left = 0  # points to be passed before the process dies; 0: it lives
        self._runner = asyncio.Runner()
        self._over = asyncio.Event()
        self._service = self._runner.run(self._start())
        self.hours = 0
        self.deaths: Counter[points.Point] = Counter()

    async def _start(self) -> asyncio.Task[None]:
        ready = asyncio.Event()
        service = asyncio.create_task(self._serve(ready))
        await asyncio.wait(
            {service, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        if service.done():
            service.result()
        return service

    async def _serve(self, ready: asyncio.Event) -> None:
        """Run the service until it is over, all in one task."""
        app = create_app(self._settings)
        async with (
            app.lifespan(),
            client_of(app, self._key) as self.client,
            httpx.AsyncClient(timeout=30) as self.s3,
        ):
            self.stores = app.state.stores
            ready.set()
            await self._over.wait()

    def close(self) -> None:
        """End the service."""

        async def end() -> None:
            self._over.set()
            await self._service

        self._runner.run(end())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something with the host's clock as it stands."""
        if not self.hours:
            return self._runner.run(work)
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=self.hours), tick=True):
            return self._runner.run(work)

    def act(self, work: Coroutine[Any, Any, T], dies: int) -> T | None:
        """Do something that dies at the ``dies``-th point, if that is not 0; ``None`` if it did."""

        async def until_death() -> T | None:
            try:
                return await work
            except DiedError:
                return None

        self._left = dies
        points.install(self._die)
        try:
            return self.run(until_death())
        finally:
            points.install(None)

    def _die(self, passed: points.Point) -> None:
        if self._left:
            self._left -= 1
            if not self._left:
                self.deaths[passed] += 1
                raise DiedError(passed)

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Call the service; the client is as real as the network allows."""
        return await self.client.post(path, json=body)

    async def send(self, upload_id: str, chunks: Mapping[int, bytes]) -> httpx.Response:
        """Ask for URLs and send chunks, as far as both are allowed."""
        asked = [
            {"chunkIndex": index, "sha256": hashlib.sha256(chunk).hexdigest()}
            for index, chunk in chunks.items()
        ]
        body = {"uploadId": upload_id, "chunks": asked, "force": True}
        answer = await self.post("/api/upload/urls", body)
        if answer.is_success:
            for each in answer.json()["chunks"]:
                chunk = chunks[each["chunkIndex"]]
                await self.s3.put(each["url"], content=chunk, headers=each["headers"])
        return answer

    async def row(self, upload_id: str) -> Upload:
        """Read the row."""
        return await row_of(self.stores.pool, upload_id)

    async def lapse(self) -> None:
        """Let all leases run out: whoever held one is dead."""
        async with transaction(self.stores.pool) as tx:
            await tx.execute(
                "UPDATE uploads SET lease_until = clock_timestamp() - interval '1 second'"
                " WHERE lease_until IS NOT NULL"
            )

    async def end_session(self, upload_id: str) -> None:
        """Let the deadline pass."""
        upload = await self.row(upload_id)
        async with transaction(self.stores.pool) as tx:
            await tx.execute(
                "UPDATE uploads SET deadline = clock_timestamp() - interval '1 second'"
                " WHERE id = %s",
                [upload.id],
            )

    async def work(self) -> None:
        """Do a round of the worker's duties."""
        await take_over_uploads(self.stores, patience=_NOW)
        waiting = "SELECT id FROM uploads WHERE assembled_at IS NOT NULL AND phase = 'ASSEMBLING'"
        for row in await rows(self.stores.pool, waiting):
            await verify_object(self.stores, row["id"])
        await complete_missed(self.stores, patience=_NOW)
        await expire_uploads(self.stores)

    async def sweep(self) -> None:
        """Sweep as if everything in the bucket were old."""
        await sweep_bucket(self.stores, self._settings.s3_prefix, older_than=_NOW, quiet=_NOW)

    async def forget(self) -> None:
        """Lose all of Redis."""
        await self.stores.ledger._redis.flushdb()

    async def read(self, upload: Upload) -> bytes:
        """Read the object."""
        return await self.stores.bucket.read(
            upload.object_key, first=0, length=max(1, upload.size_bytes)
        )

    async def settle(self) -> None:
        """Let workers go on until nothing is under way any more."""
        for _ in range(10):
            await self.lapse()
            await self.work()
            under_way = "SELECT id FROM uploads WHERE phase = %s"
            if not await rows(self.stores.pool, under_way, [Phase.ASSEMBLING]):
                return
        raise AssertionError("an upload is under way for ever")
