"""Postgres goes away in the middle: an attempt gives its lease back, a job keeps its result."""

import threading
from typing import Final

import httpx
import psycopg
import pytest
from psycopg import sql

from coordinator import points
from coordinator.adapters.stores import Stores
from coordinator.domain.jobs import job_id
from coordinator.domain.kinds import Kind
from coordinator.embedded import Addresses
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.builders import SMALLEST, complete, rows, send_all, some_bytes, status, uuid_of

_AWAY_S: Final = 1.5

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.mark.parametrize("lost_at", ["sealed", "compared", "after-complete", "manifest-put"])
async def test_an_attempt_that_lost_postgres_keeps_nobody_waiting(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    lost_at: str,
) -> None:
    """Its lease would last for minutes; the next request takes over at once."""
    upload_id = await send_all(client, s3_http, [some_bytes(SMALLEST), b"end"])

    def lose(point: str) -> None:
        if point == lost_at:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(points, "passed", lose)
        refused = await complete(client, upload_id)
    between = await status(client, upload_id)
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert between["status"] == "ASSEMBLING"
    assert answer.status_code == 200


def _let_in(servers: Addresses, database: str, *, whether: bool) -> None:
    """Let anybody into a database, or nobody, and those that are in out."""
    with psycopg.connect(servers.database_url, autocommit=True) as conn:
        change = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        conn.execute(change.format(sql.Identifier(database), sql.Literal(whether)))
        if not whether:
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            conn.execute(end, [database])


async def test_a_job_that_ends_while_postgres_is_away_keeps_its_result(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    *,
    stores: Stores,
    settings: Settings,
    servers: Addresses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would stay `running` for ever, its queue entry being over."""
    fields = {"fileName": "data.jsonl", "fileType": "application/jsonl"}
    upload_id = await send_all(client, s3_http, [b'{"a": 1}\n'], **fields)
    assert (await complete(client, upload_id)).status_code == 200
    database = settings.database_url.rpartition("/")[2]
    back = threading.Timer(_AWAY_S, _let_in, [servers, database], {"whether": True})

    def lose(point: points.Point) -> None:
        if point == "job-done":
            _let_in(servers, database, whether=False)
            back.start()

    monkeypatch.setattr(stores.pool, "timeout", 0.2)
    monkeypatch.setattr(points, "passed", lose)
    await run_job(stores, settings, job_id(uuid_of(upload_id), Kind.GENERATE_METADATA, {}))
    back.join()

    [job] = await rows(stores.pool, "SELECT state, attempt, result FROM jobs")
    assert (job["state"], job["attempt"]) == ("succeeded", 1)
    assert job["result"] is not None
