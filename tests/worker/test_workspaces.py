"""What a job's body gets of the jobs before it: of those that it needs, and of no others."""

import asyncio
from threading import Event
from typing import Any

import httpx
import pytest

from coordinator.adapters import jobs
from coordinator.adapters.artifacts import Artifact
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.jobs import Job
from coordinator.domain.kinds import Kind
from coordinator.domain.uploads import Owner
from coordinator.jobs.workspace import Workspace
from coordinator.operations.add_job import add_job
from coordinator.operations.end_job import succeed_job
from coordinator.settings import Settings
from coordinator.worker.bodies import Tools, open_workspace
from tests.builders import complete, row_of, send_all, uuid_of

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PREPARE = Kind.PREPARE_TRAINING_DATASET


@pytest.fixture
async def upload_id(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> str:
    """A completed upload of a training pipeline that redacts."""
    made = await send_all(
        client,
        s3_http,
        [b'{"a": 1}\n'],
        fileName="a.jsonl",
        fileType="application/jsonl",
        metadata={"purpose": "training", "jobs": {"scan_pii": {"policy": "redact"}}},
    )
    assert (await complete(client, made)).status_code == 200
    return made


async def _all(stores: Stores, upload_id: str) -> list[Job]:
    async with stores.pool.connection() as conn:
        return await jobs.of_upload(conn, uuid_of(upload_id))


async def _end(stores: Stores, job: Job, result: dict[str, Any], *keys: str) -> None:
    """Let a job succeed that has written artifacts, each at its key under the same path."""
    async with transaction(stores.pool) as tx:
        begun = await jobs.start(tx, job.id)
    assert begun is not None
    made = [
        Artifact(
            job_id=job.id,
            kind=job.kind,
            path=key.rpartition("/")[2],
            object_key=key,
            size_bytes=3,
            root="r-1",
            sha256=bytes(32),
            media_type="text/plain",
        )
        for key in keys
    ]
    assert await succeed_job(stores, begun, result, made=made) is not None


async def _work(stores: Stores, settings: Settings, upload_id: str, job: Job) -> Workspace:
    upload = await row_of(stores.pool, upload_id)
    return await open_workspace(stores, settings, Tools(), job=job, upload=upload, stopped=Event())


def _key(work: Workspace) -> str:
    """Say what the job reads; asked outside the loop, as bodies ask."""
    return work.source.key


async def test_a_job_reads_what_those_that_it_needs_have_made(
    stores: Stores, settings: Settings, upload_id: str
) -> None:
    """A kind that ran once more, told otherwise, has artifacts under the same paths."""
    pipeline = {job.kind: job for job in await _all(stores, upload_id)}
    for kind in (Kind.VALIDATE_SCHEMA, Kind.SCAN_PII):
        await _end(stores, pipeline[kind], {"status": "done"})
    await _end(stores, pipeline[_PREPARE], {"seed": 0}, "own/manifest.json")
    other, _ = await add_job(
        stores, uuid_of(upload_id), Owner("default", None), _PREPARE, {"seed": 7}, actor="ck_x"
    )
    await _end(stores, other, {"seed": 7}, "other/manifest.json")

    work = await _work(stores, settings, upload_id, pipeline[Kind.TRIGGER_FINE_TUNING])

    assert work.earlier[_PREPARE] == {"seed": 0}
    source = await asyncio.to_thread(work.artifact, _PREPARE, "manifest.json")
    assert (source.key, source.size) == ("own/manifest.json", 3)


async def test_a_job_that_needs_the_scan_reads_the_redacted_copy(
    stores: Stores, settings: Settings, upload_id: str
) -> None:
    """One that does not reads the object, whenever it runs: no result depends on the moment."""
    pipeline = {job.kind: job for job in await _all(stores, upload_id)}
    redacted = {
        "path": "redacted/a.jsonl",
        "fileName": "a.jsonl",
        "fileType": "application/jsonl",
        "size": 3,
        "root": "r-1",
        "format": "jsonl",
    }
    await _end(stores, pipeline[Kind.SCAN_PII], {"status": "done", "redacted": redacted})
    upload = await row_of(stores.pool, upload_id)

    works = [
        await _work(stores, settings, upload_id, pipeline[kind])
        for kind in (Kind.GENERATE_METADATA, Kind.VALIDATE_SCHEMA)
    ]

    keys = [await asyncio.to_thread(_key, work) for work in works]
    assert keys[0].startswith(upload.object_key.rpartition("/")[0] + "/~artifacts/job_")
    assert keys[0].endswith("/redacted/a.jsonl")
    assert keys[1] == upload.object_key
    assert [work.root == "r-1" for work in works] == [True, False]
