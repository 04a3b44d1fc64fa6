"""The worker's process ends in time, whatever its jobs are doing."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from coordinator import settings as settings_module
from coordinator.app import create_app
from coordinator.embedded import Addresses
from tests.builders import complete, send_all
from tests.conftest import client_of
from tests.faults.forwarders import cabled
from tests.faults.warm import WarmProgram
from tests.sdk.installation import prepared

_JOBS = "SELECT state, attempt FROM jobs"
_ENTRIES = "SELECT status::text AS state FROM procrastinate_jobs"


async def _until(database_url: str, query: str, wanted: dict[str, Any]) -> None:
    async with (
        asyncio.timeout(90),
        await psycopg.AsyncConnection.connect(
            database_url, autocommit=True, row_factory=dict_row
        ) as conn,
    ):
        while True:
            if await (await conn.execute(query)).fetchall() == [wanted]:
                return
            await asyncio.sleep(0.05)


async def test_a_job_that_hangs_is_handed_on_and_the_process_ends_without_it(
    servers: Addresses, tmp_path: Path, s3_http: httpx.AsyncClient, monkeypatch: Any
) -> None:
    """Python would wait for its thread for ever; another worker runs the job, and it counts."""
    environ, key = prepared(servers, database=f"leaving_{os.getpid()}")
    database_url = environ["COORDINATOR_DATABASE_URL"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, environ[name])
    own = {name: each for name, each in environ.items() if name.startswith("COORDINATOR_")}
    async with cabled(environ["COORDINATOR_S3_ENDPOINT"]) as (through_cable, cable):
        cut_off = {**environ, "COORDINATOR_S3_ENDPOINT": through_cable}
        hanging = WarmProgram("work", cut_off, tmp_path / "hanging.log")
        other = WarmProgram("work", environ, tmp_path / "other.log")
        try:
            hanging.start()
            workers = "SELECT 'lives' AS state FROM procrastinate_workers"
            await _until(database_url, workers, {"state": "lives"})
            cable.cut()
            app = create_app(settings_module.read(own))
            async with app.lifespan(), client_of(app, key) as client:
                fields = {"fileName": "a.jsonl", "fileType": "application/jsonl"}
                upload_id = await send_all(client, s3_http, [b'{"a": 1}\n'], **fields)
                assert (await complete(client, upload_id)).status_code == 200
            await _until(database_url, _JOBS, {"state": "running", "attempt": 1})
            for _ in "ab":
                hanging.tell(signal.SIGTERM)
                await asyncio.sleep(0.3)
            code = await asyncio.to_thread(hanging.wait, 20.0)
            await _until(database_url, _ENTRIES, {"state": "todo"})
            other.start()
            await _until(database_url, _JOBS, {"state": "succeeded", "attempt": 2})
            ended = await asyncio.to_thread(other.stop)
        finally:
            hanging.kill()
            other.kill()

    assert (code, ended) == (0, 0)
