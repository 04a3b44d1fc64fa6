"""What ``make soak`` has found, each as a plain test."""

import asyncio
import hashlib
from typing import Final

import httpx
import pytest

from coordinator.adapters import queue
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.jobs import job_id
from coordinator.domain.kinds import Kind
from coordinator.domain.phases import Phase
from coordinator.settings import Settings
from coordinator.worker import run as worker
from coordinator.worker.rounds import Duty, go_round
from coordinator.worker.run_job import run_job
from tests.builders import SMALLEST, complete, cut, row_of, rows, send_all, some_bytes, uuid_of

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_FILE: Final = some_bytes(SMALLEST + 3)
_CHUNKS: Final = cut(_FILE, SMALLEST)
_SHA256: Final = f"sha256:{hashlib.sha256(_FILE).hexdigest()}"


async def _work(stores: Stores, settings: Settings) -> None:
    """Go round once as a worker, then run what is queued."""
    stopping = asyncio.Event()

    async def stop() -> None:
        stopping.set()

    app = worker._app(stores, settings)
    async with app.open_async():
        duties = worker._duties(stores, app)
        await go_round(stores, [*duties, Duty("stop", stop)], stopping)
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)


async def test_a_dead_workers_entry_gives_way_to_one_that_was_queued_meanwhile(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """It held the upload's lock and could not be queued again itself: nobody read it, for ever."""
    upload_id = await send_all(client, s3_http, _CHUNKS, checksum=_SHA256)
    await complete(client, upload_id)
    async with transaction(stores.pool) as tx:
        await tx.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        await queue.enqueue_verification(tx, uuid_of(upload_id))

    await _work(stores, settings)

    states = await rows(stores.pool, "SELECT status FROM procrastinate_jobs ORDER BY id")
    assert (await row_of(stores.pool, upload_id)).phase is Phase.COMPLETED
    assert [row["status"] for row in states] == ["failed", "succeeded", "succeeded"]


async def test_two_uploads_of_one_file_may_declare_its_checksum_late(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Only what init declares makes them one; the second completion was answered 500."""
    uploads = [await send_all(client, s3_http, _CHUNKS) for _ in range(2)]

    answers = [await complete(client, upload_id, checksum=_SHA256) for upload_id in uploads]

    shown = [await client.get(f"/api/upload/status/{upload_id}") for upload_id in uploads]
    found = [await row_of(stores.pool, upload_id) for upload_id in uploads]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert [answer.json()["checksum"] for answer in shown] == [_SHA256, _SHA256]
    assert [(row.checksum, row.late_checksum) for row in found] == [(None, _SHA256)] * 2


async def test_a_ledger_that_outlived_completion_goes_with_the_first_job(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """Its process died between the commit and Redis: it lay there until its time was over."""
    upload_id = await send_all(client, s3_http, [b"one chunk"])
    before = await row_of(stores.pool, upload_id)
    await complete(client, upload_id)
    await stores.ledger.open(before)

    await run_job(stores, settings, job_id(before.id, Kind.GENERATE_METADATA, {}))

    assert await stores.ledger.read(before.id) is None
