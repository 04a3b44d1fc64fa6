"""Queue entries exist if and only if the transaction commits that made them due."""

from datetime import timedelta
from typing import Any

from coordinator.adapters import queue
from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.postgres import Pool, Tx, transaction
from coordinator.domain.kinds import Kind
from tests.builders import rows

_JOB, _UPLOAD = new_uuid(), new_uuid()


async def _enqueue(tx: Tx) -> None:
    await queue.enqueue_job(tx, _JOB, Kind.SCAN_PII)
    await queue.enqueue_verification(tx, _UPLOAD)


async def _entries(pool: Pool) -> list[dict[str, Any]]:
    return await rows(
        pool, "SELECT task_name, queue_name, lock, args FROM procrastinate_jobs ORDER BY id"
    )


async def test_a_rollback_leaves_no_entry(pool: Pool) -> None:
    """A job without its upload's completion would run on nothing."""
    async with pool.connection() as conn, conn.transaction(force_rollback=True):
        await _enqueue(conn)
        assert len(await (await conn.execute("SELECT FROM procrastinate_jobs")).fetchall()) == 2

    assert await _entries(pool) == []


async def test_a_commit_leaves_each_entry_once(pool: Pool) -> None:
    """An upload is hashed by one worker at a time, hence the lock."""
    async with transaction(pool) as tx:
        await _enqueue(tx)

    assert await _entries(pool) == [
        {
            "task_name": "run_job",
            "queue_name": "jobs.scan_pii",
            "lock": None,
            "args": {"job_id": str(_JOB)},
        },
        {
            "task_name": "verify_object",
            "queue_name": "uploads",
            "lock": str(_UPLOAD),
            "args": {"upload_id": str(_UPLOAD)},
        },
    ]


async def test_a_retry_waits_for_its_time(pool: Pool) -> None:
    """A job that failed is not tried again at once."""
    async with transaction(pool) as tx:
        await queue.enqueue_job(tx, _JOB, Kind.SCAN_PII, delay=timedelta(seconds=90))

    query = "SELECT scheduled_at - now() AS wait FROM procrastinate_jobs"
    [entry] = await rows(pool, query)
    assert timedelta(seconds=60) < entry["wait"] <= timedelta(seconds=90)
