"""Services and workers are replaced one after the other while clients work: nobody notices.

``ROUNDS=10 pytest tests/faults/test_rolling_restarts.py`` restarts ten services and ten workers.
"""

import asyncio
import os
import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest

from coordinator.embedded import Addresses
from tests.builders import ask_urls, complete, open_upload, put, some_bytes, status
from tests.faults.forwarders import balanced
from tests.faults.warm import WarmProgram
from tests.sdk.installation import free_port, prepared

pytestmark = pytest.mark.alone

_ROUNDS: Final = int(os.environ.get("ROUNDS", "4"))
_DRAIN_SECONDS: Final = os.environ.get("DRAIN", "1")
_CLIENTS: Final = 3


class Load:
    """Clients that never try anything twice: whatever a restart does to a request is seen."""

    def __init__(self, url: str, key: str, stop: asyncio.Event) -> None:
        self.completed: list[str] = []
        self.requests: Counter[str] = Counter()
        self.failures: list[str] = []
        self._url = url
        self._key = key
        self._stop = stop

    async def run(self, number: int) -> None:
        """Upload one tiny file after the other until told to stop."""
        random_pause = random.Random(number)
        headers = {"Authorization": f"Bearer {self._key}"}
        async with (
            httpx.AsyncClient(base_url=self._url, headers=headers, timeout=30.0) as service,
            httpx.AsyncClient(timeout=30.0) as s3,
        ):
            service.event_hooks["response"] = [self._note]
            while not self._stop.is_set():
                try:
                    await self._upload(service, s3, some_bytes(64, seed=random_pause.randrange(9)))
                except (httpx.HTTPError, AssertionError) as exc:
                    self.failures.append(f"{type(exc).__name__}: {exc}"[:200])
                await asyncio.sleep(random_pause.uniform(0.05, 0.2))

    async def _note(self, answer: httpx.Response) -> None:
        request = answer.request
        self.requests[
            f"{request.method} {request.url.path.removesuffix('/').split('/upl_')[0]}"
        ] += 1
        if answer.status_code >= 400:
            self.failures.append(f"{answer.status_code} {request.method} {request.url.path}")

    async def _upload(self, service: httpx.AsyncClient, s3: httpx.AsyncClient, data: bytes) -> None:
        upload_id = await open_upload(service, len(data))
        [signed] = (await ask_urls(service, upload_id, {0: data})).json()["chunks"]
        sent = await put(s3, signed, data)
        assert sent.is_success, sent.text
        await service.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0})
        assert (await status(service, upload_id))["progress"]
        answer = await complete(service, upload_id)
        assert (answer.status_code, answer.json()["status"]) == (200, "completed"), answer.text
        self.completed.append(upload_id)


async def _replace(service: WarmProgram, worker: WarmProgram) -> list[int | None]:
    """Restart both; return how they ended."""
    codes = await asyncio.gather(*(asyncio.to_thread(each.stop) for each in (service, worker)))
    for each in (service, worker):
        each.start()
    return list(codes)


async def _until_both(ready: set[str]) -> None:
    """Return once the load balancer sends to both: nobody stops the one before that."""
    async with asyncio.timeout(90):
        while True:
            if len(ready) == 2:
                return
            await asyncio.sleep(0.05)


async def _jobs_done(database_url: str) -> list[dict[str, Any]]:
    """Wait until no job waits or runs; return them all."""
    query = "SELECT upload_id, kind, state, attempt FROM jobs"
    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, row_factory=psycopg.rows.dict_row
    ) as conn:
        async with asyncio.timeout(60):
            while True:
                found = await (await conn.execute(query)).fetchall()
                if all(job["state"] not in {"queued", "running"} for job in found):
                    return found
                await asyncio.sleep(0.1)


async def test_no_request_fails_while_everything_is_replaced(
    servers: Addresses, tmp_path: Path
) -> None:
    """Two services behind a load balancer and two workers, restarted in turn under load."""
    environ, key = prepared(servers, database=f"rolling_{os.getpid()}")
    environ["COORDINATOR_DRAIN_SECONDS"] = _DRAIN_SECONDS
    urls, services, workers = [], [], []
    for number in range(2):
        port = free_port()
        urls.append(f"http://127.0.0.1:{port}")
        own = {**environ, "COORDINATOR_PORT": str(port)}
        services.append(WarmProgram("serve", own, tmp_path / f"service-{number}.log"))
        workers.append(WarmProgram("work", environ, tmp_path / f"worker-{number}.log"))
    codes: list[int | None] = []
    with ExitStack() as stack:
        for program in (*services, *workers):
            stack.callback(program.kill)
            program.start()
        stop = asyncio.Event()
        async with balanced(urls) as (url, ready):
            await _until_both(ready)
            load = Load(url, key, stop)
            clients = [asyncio.create_task(load.run(number)) for number in range(_CLIENTS)]
            for number in range(_ROUNDS):
                which = number % 2
                codes += await _replace(services[which], workers[which])
                await _until_both(ready)
            stop.set()
            await asyncio.gather(*clients)
        jobs = await _jobs_done(environ["COORDINATOR_DATABASE_URL"])

    assert load.failures == []
    assert codes == [0] * 2 * _ROUNDS
    assert len(load.completed) >= 10 * _ROUNDS
    per_upload = Counter(str(job["upload_id"]) for job in jobs)
    assert len(per_upload) == len(load.completed)
    assert {(job["state"], job["attempt"]) for job in jobs} == {("succeeded", 1)}
    assert set(per_upload.values()) == {1}
