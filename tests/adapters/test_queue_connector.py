"""A worker's connection to the queue outlives Postgres, and loses no entry by it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status

from coordinator.adapters import queue, queue_connector
from coordinator.adapters.postgres import Pool
from coordinator.adapters.queue_connector import PatientConnector
from coordinator.domain.kinds import Kind


@pytest.fixture
async def app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[App]:
    """Procrastinate as the worker uses it, with shorter pauses."""
    monkeypatch.setattr(queue_connector, "_PAUSE_SECONDS", 0.05)
    app = App(connector=PatientConnector(database_url))
    async with app.open_async():
        yield app


def _lose_answers(monkeypatch: pytest.MonkeyPatch, method: str, count: int) -> list[str]:
    """Let statements be done, and their answers be lost, ``count`` times."""
    asked: list[str] = []
    original = getattr(PsycopgConnector, method)

    async def losing(self: PsycopgConnector, query: Any, **arguments: Any) -> Any:
        answer = await original(self, query, **arguments)
        asked.append(query)
        if len(asked) <= count:
            raise ConnectorException from psycopg.OperationalError("server closed the connection")
        return answer

    monkeypatch.setattr(PsycopgConnector, method, losing)
    return asked


async def test_an_entry_whose_fetch_was_lost_is_fetched_again(
    pool: Pool, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres says that this worker runs it, and its heartbeat would keep that so for ever."""
    async with pool.connection() as conn:
        for _ in range(2):
            await queue.enqueue_job(conn, uuid4(), Kind.SCAN_PII)
    worker = await app.job_manager.register_worker()
    first = await app.job_manager.fetch_job(queues=None, worker_id=worker)

    asked = _lose_answers(monkeypatch, "execute_query_one_async", 1)
    second = await app.job_manager.fetch_job(queues=None, worker_id=worker)
    third = await app.job_manager.fetch_job(queues=None, worker_id=worker)

    assert first is not None
    assert second is not None
    assert first.id != second.id  # what is at hand is not given back
    assert (third, len(asked)) == (None, 3)


async def test_an_end_whose_answer_was_lost_is_written_once(
    pool: Pool, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Procrastinate refuses to finish an entry twice."""
    async with pool.connection() as conn:
        await queue.enqueue_job(conn, uuid4(), Kind.SCAN_PII)
    worker = await app.job_manager.register_worker()
    job = await app.job_manager.fetch_job(queues=None, worker_id=worker)
    assert job is not None

    asked = _lose_answers(monkeypatch, "execute_query_async", 1)
    await app.job_manager.finish_job(job, status=Status.SUCCEEDED, delete_job=False)

    assert len(asked) == 1  # the second attempt was refused, and this taken for an answer
    assert await app.job_manager.get_job_status_async(job.id or 0) is Status.SUCCEEDED


@pytest.mark.parametrize("step", ["fetch", "heartbeat"])
async def test_a_worker_that_was_taken_for_dead_comes_back(pool: Pool, app: App, step: str) -> None:
    """It was frozen, or Postgres was: others have dropped it, and it must not end by that."""
    async with pool.connection() as conn:
        await queue.enqueue_job(conn, uuid4(), Kind.SCAN_PII)
    worker = await app.job_manager.register_worker()
    await app.job_manager.unregister_worker(worker)

    if step == "heartbeat":
        await app.job_manager.update_heartbeat(worker)
        async with pool.connection() as conn:
            known = await conn.execute("SELECT FROM procrastinate_workers WHERE id = %s", [worker])
        assert known.rowcount == 1  # before a fetch would bring it back, too
    job = await app.job_manager.fetch_job(queues=None, worker_id=worker)

    assert job is not None
    assert job.worker_id == worker


async def test_a_worker_that_leaves_waits_for_nobody(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM while Postgres is away must end it all the same."""
    assert isinstance(app.connector, PatientConnector)
    worker = await app.job_manager.register_worker()
    _lose_answers(monkeypatch, "execute_query_async", 1_000)

    app.connector.leave()

    with pytest.raises(ConnectorException):
        await app.job_manager.unregister_worker(worker)
