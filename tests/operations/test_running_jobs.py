"""A job runs once in effect, whatever the queue delivers."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from coordinator.adapters import jobs
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.jobs import State, job_id
from coordinator.domain.kinds import Kind
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.builders import complete, rows, send_all, uuid_of

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_LINES = b'{"a": 1}\n{"a": 2}\n'


async def _completed(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> tuple[str, UUID]:
    """Complete a small file and return the upload's id and its job's."""
    fields = {"fileName": "data.jsonl", "fileType": "application/jsonl"}
    upload_id = await send_all(client, s3_http, [_LINES], **fields)
    answer = await complete(client, upload_id)
    assert answer.status_code == 200
    return upload_id, job_id(uuid_of(upload_id), Kind.GENERATE_METADATA, {})


async def _job(stores: Stores) -> dict[str, Any]:
    [job] = await rows(stores.pool, "SELECT * FROM jobs")
    return job


async def _entries(stores: Stores) -> list[str]:
    found = await rows(stores.pool, "SELECT args FROM procrastinate_jobs ORDER BY id")
    return [row["args"]["job_id"] for row in found]


async def test_a_job_that_ran_does_not_run_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """A worker that died after the commit left its queue entry behind."""
    upload_id, number = await _completed(client, s3_http)
    await run_job(stores, settings, number)
    first = await _job(stores)

    await run_job(stores, settings, number)

    assert (first["state"], first["attempt"], first["error_code"]) == ("succeeded", 1, None)
    assert await _job(stores) == first
    shown = (await complete(client, upload_id)).json()["aiPipeline"]
    assert shown["status"] == "succeeded"
    assert shown["estimatedTime"] is not None


async def test_a_fenced_attempt_cannot_write(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """It was taken for dead and woke up: neither its result nor its failure counts."""
    _, number = await _completed(client, s3_http)
    async with transaction(stores.pool) as tx:
        stale = await jobs.start(tx, number)
    assert stale is not None
    await run_job(stores, settings, number)
    before = await _job(stores)

    async with transaction(stores.pool) as tx:
        written = [
            await jobs.succeed(tx, stale, {"stale": True}),
            await jobs.fail(tx, stale, "Stale", to=State.FAILED),
        ]

    assert (written, stale.attempt, before["attempt"]) == ([False, False], 1, 2)
    assert await _job(stores) == before


async def test_an_older_attempt_cannot_write_while_a_newer_one_runs(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Both are alive: the number decides, and not who comes first."""
    _, number = await _completed(client, s3_http)
    async with transaction(stores.pool) as tx:
        older, newer = await jobs.start(tx, number), await jobs.start(tx, number)
        assert older is not None
        assert newer is not None
        written = [await jobs.succeed(tx, each, {"by": each.attempt}) for each in (older, newer)]

    assert written == [False, True]
    assert (await _job(stores))["result"] == {"by": 2}


async def test_a_failing_job_is_tried_three_times(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """Each retry has a queue entry of its own; then the failure stands, and says why."""
    upload_id, number = await _completed(client, s3_http)
    await stores.bucket.delete((await complete(client, upload_id)).json()["filePath"])

    seen = []
    for _ in range(4):
        await run_job(stores, settings, number)
        job = await _job(stores)
        seen.append((job["state"], job["attempt"], len(await _entries(stores))))

    assert seen == [("queued", 1, 2), ("queued", 2, 3), ("failed", 3, 3), ("failed", 3, 3)]
    assert set(await _entries(stores)) == {str(number)}
    assert (job["result"], job["finished_at"] is not None) == (None, True)
    assert job["error_code"]
    assert (await complete(client, upload_id)).json()["aiPipeline"]["status"] == "failed"


async def test_a_failure_that_passes_leaves_no_trace(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """The second attempt succeeds: its result stands and the error is gone."""
    upload_id, number = await _completed(client, s3_http)
    key = (await complete(client, upload_id)).json()["filePath"]
    await stores.bucket.delete(key)
    await run_job(stores, settings, number)
    failed = await _job(stores)
    await stores.bucket.put(key, _LINES, file_type="application/jsonl")

    await run_job(stores, settings, number)

    job = await _job(stores)
    assert (failed["state"], failed["result"]) == ("queued", None)
    assert (job["state"], job["attempt"], job["error_code"]) == ("succeeded", 2, None)


async def test_a_job_that_does_not_exist_is_no_trouble(stores: Stores, settings: Settings) -> None:
    """Its upload may have been erased since."""
    await run_job(stores, settings, UUID(int=1))

    assert await rows(stores.pool, "SELECT * FROM jobs") == []


async def test_what_postgres_cannot_hold_fails_no_job(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """A NUL in a file comes back as U+FFFD; the job would have run for ever."""
    fields = {"fileName": "data.jsonl", "fileType": "application/jsonl"}
    body = rb'{"a\u0000b": "x\u0000y"}' + b"\n"
    upload_id = await send_all(client, s3_http, [body], **fields)
    assert (await complete(client, upload_id)).status_code == 200

    await run_job(stores, settings, job_id(uuid_of(upload_id), Kind.GENERATE_METADATA, {}))

    job = await _job(stores)
    assert (job["state"], job["error_code"]) == ("succeeded", None)
    assert "\ufffd" in str(job["result"]["columns"])
