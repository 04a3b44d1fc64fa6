"""Jobs of a pipeline: in order, once each, gates kept, whatever ends how."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest

from coordinator.adapters import artifacts, job_listing, jobs
from coordinator.adapters.artifacts import Artifact
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.attempts import MAX_LOST, attempts_of
from coordinator.domain.jobs import Job, State
from coordinator.domain.kinds import Kind
from coordinator.domain.uploads import Owner
from coordinator.operations.add_job import add_job
from coordinator.operations.end_job import advance, fail_job, stop_job, succeed_job
from coordinator.operations.steer_job import cancel_job, retry_job
from coordinator.settings import Settings
from coordinator.worker.run_job import LOST, run_job
from tests.builders import complete, rows, send_all, until_blocking, uuid_of

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_OWNER = Owner("default", None)


@pytest.fixture
async def upload_id(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> str:
    """A completed upload of a training pipeline; nothing has run."""
    made = await send_all(
        client,
        s3_http,
        [b'{"a": 1}\n'],
        fileName="a.jsonl",
        fileType="application/jsonl",
        metadata={"purpose": "training"},
    )
    assert (await complete(client, made)).status_code == 200
    return made


async def _jobs(stores: Stores, upload_id: str) -> dict[Kind, Job]:
    async with stores.pool.connection() as conn:
        return {each.kind: each for each in await jobs.of_upload(conn, uuid_of(upload_id))}


async def _states(stores: Stores, upload_id: str) -> list[str]:
    return [each.state for each in (await _jobs(stores, upload_id)).values()]


async def _started(stores: Stores, job: Job) -> Job:
    async with transaction(stores.pool) as tx:
        begun = await jobs.start(tx, job.id)
    assert begun is not None
    return begun


async def _entries(stores: Stores) -> list[UUID]:
    found = await rows(stores.pool, "SELECT args FROM procrastinate_jobs ORDER BY id")
    return [UUID(row["args"]["job_id"]) for row in found if "job_id" in row["args"]]


async def _end(stores: Stores, upload_id: str, *kinds: Kind, **ended: Any) -> None:
    for kind in kinds:
        job = await _started(stores, (await _jobs(stores, upload_id))[kind])
        assert await succeed_job(stores, job, {"status": "done"}, **ended) is State.SUCCEEDED


async def test_only_what_needs_nothing_is_queued_at_completion(
    stores: Stores, upload_id: str
) -> None:
    """Every job has its row; those that wait have no entry in the queue."""
    found = await _jobs(stores, upload_id)

    states = {kind: job.state for kind, job in found.items()}
    assert states == {
        Kind.VALIDATE_SCHEMA: State.QUEUED,
        Kind.SCAN_PII: State.QUEUED,
        Kind.GENERATE_METADATA: State.WAITING,
        Kind.PREPARE_TRAINING_DATASET: State.WAITING,
        Kind.TRIGGER_FINE_TUNING: State.WAITING,
    }
    expected = [found[Kind.VALIDATE_SCHEMA].id, found[Kind.SCAN_PII].id]
    assert await _entries(stores) == expected


async def test_the_end_of_a_job_queues_what_waited_for_it(stores: Stores, upload_id: str) -> None:
    """In the same transaction, and each once."""
    await _end(stores, upload_id, Kind.SCAN_PII)
    after_one = await _states(stores, upload_id)
    await _end(stores, upload_id, Kind.VALIDATE_SCHEMA)
    after_both = await _states(stores, upload_id)

    assert after_one == ["queued", "succeeded", "queued", "waiting", "waiting"]
    assert after_both == ["succeeded", "succeeded", "queued", "queued", "waiting"]
    entries = await _entries(stores)
    assert len(set(entries)) == len(entries) == 4


async def test_two_that_end_at_once_queue_what_needs_both(stores: Stores, upload_id: str) -> None:
    """Neither would see the other's end before it has committed: the second waits for the first."""
    found = await _jobs(stores, upload_id)
    first, second = [
        await _started(stores, found[kind]) for kind in (Kind.VALIDATE_SCHEMA, Kind.SCAN_PII)
    ]
    async with transaction(stores.pool) as tx:
        await jobs.lock_of_upload(tx, uuid_of(upload_id))
        assert await jobs.succeed(tx, first, {})
        ending = asyncio.create_task(succeed_job(stores, second, {}))
        await until_blocking(stores.pool, tx)
        await advance(tx, stores, uuid_of(upload_id), ended=[first.id])

    assert await ending is State.SUCCEEDED
    assert (await _states(stores, upload_id))[3] == "queued"
    assert (await _entries(stores)).count(found[Kind.PREPARE_TRAINING_DATASET].id) == 1


async def test_a_closed_gate_skips_all_that_is_behind_it(stores: Stores, upload_id: str) -> None:
    """The reason is that of the gate, down the whole chain."""
    await _end(stores, upload_id, Kind.SCAN_PII, blocks="pii-found")

    found = await _jobs(stores, upload_id)
    skipped = {job.kind: job.error_code for job in found.values() if job.state is State.SKIPPED}
    assert skipped == {
        Kind.GENERATE_METADATA: "pii-found",
        Kind.PREPARE_TRAINING_DATASET: "pii-found",
        Kind.TRIGGER_FINE_TUNING: "pii-found",
    }


async def test_a_failed_job_that_is_run_again_brings_back_what_it_stopped(
    stores: Stores, upload_id: str
) -> None:
    """An operator who mends one thing wants the whole pipeline."""
    await _end(stores, upload_id, Kind.VALIDATE_SCHEMA)
    scan = await _started(stores, (await _jobs(stores, upload_id))[Kind.SCAN_PII])
    assert await fail_job(stores, scan, "OSError", again_in=None) is State.FAILED
    failed = await _states(stores, upload_id)

    await retry_job(stores, scan.id, _OWNER, actor="ck_x")
    waiting = await _states(stores, upload_id)
    await _end(stores, upload_id, Kind.SCAN_PII)

    assert failed == ["succeeded", "failed", "skipped", "skipped", "skipped"]
    assert waiting == ["succeeded", "queued", "waiting", "waiting", "waiting"]
    assert await _states(stores, upload_id) == [
        "succeeded",
        "succeeded",
        "queued",
        "queued",
        "waiting",
    ]


async def test_a_job_that_has_not_begun_is_cancelled_at_once(
    stores: Stores, settings: Settings, upload_id: str
) -> None:
    """Its entry in the queue finds nothing to do; asking again changes nothing."""
    scan = (await _jobs(stores, upload_id))[Kind.SCAN_PII]

    first = await cancel_job(stores, scan.id, _OWNER, actor="ck_x")
    again = await cancel_job(stores, scan.id, _OWNER, actor="ck_y")
    await run_job(stores, settings, scan.id)

    assert (first.state, again.cancelled_by) == (State.CANCELLED, "ck_x")
    found = await _jobs(stores, upload_id)
    assert (found[Kind.SCAN_PII].state, found[Kind.SCAN_PII].attempt) == (State.CANCELLED, 0)
    assert found[Kind.PREPARE_TRAINING_DATASET].error_code == "predecessor-cancelled"


async def test_a_cancelled_attempt_writes_nothing_more(stores: Stores, upload_id: str) -> None:
    """Neither what it found nor that it failed: it was cancelled, whichever comes first."""
    found = await _jobs(stores, upload_id)
    scan, schema = [
        await _started(stores, found[kind]) for kind in (Kind.SCAN_PII, Kind.VALIDATE_SCHEMA)
    ]
    for job in (scan, schema):
        assert (await cancel_job(stores, job.id, _OWNER, actor="ck_x")).state is State.RUNNING

    ended = [
        await succeed_job(stores, scan, {"late": True}),
        await fail_job(stores, schema, "OSError", again_in=None),
    ]

    assert ended == [State.CANCELLED, State.CANCELLED]
    after = await _jobs(stores, upload_id)
    assert [after[kind].result for kind in (Kind.SCAN_PII, Kind.VALIDATE_SCHEMA)] == [None, None]
    assert {after[kind].state for kind in after if kind not in {scan.kind, schema.kind}} == {
        State.SKIPPED
    }


async def test_a_job_is_cancelled_though_its_worker_has_died(
    stores: Stores, settings: Settings, upload_id: str
) -> None:
    """Whoever rescues its entry in the queue ends it."""
    scan = await _started(stores, (await _jobs(stores, upload_id))[Kind.SCAN_PII])
    await cancel_job(stores, scan.id, _OWNER, actor="ck_x")

    await run_job(stores, settings, scan.id)

    after = (await _jobs(stores, upload_id))[Kind.SCAN_PII]
    assert (after.state, after.attempt) == (State.CANCELLED, 1)


async def test_an_attempt_that_was_overtaken_stops_without_a_trace(
    stores: Stores, upload_id: str
) -> None:
    """It is told to stop as a cancelled one is, and its job goes on."""
    stale = await _started(stores, (await _jobs(stores, upload_id))[Kind.SCAN_PII])
    current = await _started(stores, stale)

    async with stores.pool.connection() as conn:
        beats = [await jobs.beat(conn, job, done=1, total=2) for job in (stale, current)]

    assert beats == [False, True]
    assert await stop_job(stores, stale) is None
    assert (await _jobs(stores, upload_id))[Kind.SCAN_PII].state is State.RUNNING


async def test_a_job_that_takes_worker_after_worker_down_is_given_up(
    stores: Stores, settings: Settings, upload_id: str
) -> None:
    """Nobody can say why: each died before it could."""
    schema = (await _jobs(stores, upload_id))[Kind.VALIDATE_SCHEMA]
    for _ in range(attempts_of(schema.kind).most + MAX_LOST):
        await _started(stores, schema)

    await run_job(stores, settings, schema.id)

    after = (await _jobs(stores, upload_id))[Kind.VALIDATE_SCHEMA]
    assert (after.state, after.error_code) == (State.FAILED, LOST)


def _artifact(job: Job, path: str) -> Artifact:
    return Artifact(
        job_id=job.id,
        kind=job.kind,
        path=path,
        object_key=f"x/{path}",
        size_bytes=3,
        root="r-1",
        sha256=bytes(32),
        media_type="text/plain",
    )


async def test_artifacts_come_with_the_success_of_their_job(stores: Stores, upload_id: str) -> None:
    """What a fenced attempt wrote is none; what pieces were kept is gone with the end."""
    stale = await _started(stores, (await _jobs(stores, upload_id))[Kind.SCAN_PII])
    current = await _started(stores, stale)
    async with stores.pool.connection() as conn:
        await artifacts.keep_piece(conn, stale, b"task", 0, b"old")
        await artifacts.keep_piece(conn, current, b"task", 0, b"new")
        kept = await artifacts.kept_pieces(conn, current.id, b"task")

    ended = [
        await succeed_job(stores, job, {}, made=[_artifact(job, f"{job.attempt}.txt")])
        for job in (stale, current)
    ]

    async with stores.pool.connection() as conn:
        made = await artifacts.of_upload(conn, uuid_of(upload_id))
        left = await artifacts.kept_pieces(conn, current.id, b"task")
    assert kept == {0: b"new"}
    assert ended == [None, State.SUCCEEDED]
    assert made == [_artifact(current, "2.txt")]
    assert left == {}


async def test_a_kind_that_is_told_otherwise_is_another_job(stores: Stores, upload_id: str) -> None:
    """It waits for what its kind needs; told the same it is the same, however often it is asked."""
    number = uuid_of(upload_id)

    async def add(kind: Kind, parameters: dict[str, Any]) -> tuple[Job, bool]:
        return await add_job(stores, number, _OWNER, kind, parameters, actor="ck_x")

    made = [await add(Kind.PREPARE_TRAINING_DATASET, {"seed": 7}) for _ in "ab"]
    same = await add(Kind.PREPARE_TRAINING_DATASET, {})
    scanned = await add(Kind.SCAN_PII, {"policy": "block"})

    pipeline = await _jobs(stores, upload_id)
    assert [is_new for _, is_new in made] == [True, False]
    assert same[1] is False
    assert (made[0][0].state, scanned[0].state) == (State.WAITING, State.QUEUED)
    first = await _first(stores, number, [Kind.VALIDATE_SCHEMA, Kind.SCAN_PII])
    assert set(made[0][0].needs) == first
    assert len(pipeline) == 5


async def _first(stores: Stores, number: UUID, kinds: Sequence[Kind]) -> set[UUID]:
    found = await rows(
        stores.pool,
        "SELECT id FROM jobs WHERE upload_id = %s AND kind = ANY (%s) AND parameters = '{}'",
        [number, list(kinds)],
    )
    return {row["id"] for row in found}


@pytest.mark.usefixtures("upload_id")
async def test_a_worker_measures_what_waits(stores: Stores) -> None:
    """By kind, and how long the oldest has."""
    async with stores.pool.connection() as conn:
        depths = await job_listing.depths(conn)

    mine = {each.kind: each.jobs for each in depths}
    assert mine == {"scan_pii": 1, "validate_schema": 1}
    assert all(0 <= each.oldest_seconds < 60 for each in depths)
