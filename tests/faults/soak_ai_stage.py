"""Two completed uploads whose jobs have not run yet, and runs of these jobs, each from there.

Each run has a copy of the database and the same bucket, in which nothing is left of the run before:
ids and keys are the same in each, and so must results be, to the byte.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from coordinator.cli.demo_ai_messages import expected_events
from coordinator.cli.demo_ai_receiver import Receiver
from coordinator.cli.demo_ai_service import Service
from coordinator.cli.demo_ai_uploads import SETTINGS, Files, generate
from coordinator.embedded import Addresses
from coordinator.embedded import bucket as buckets
from tests.faults.gathering import keys_of
from tests.faults.soak_ai_evidence import Evidence, gather
from tests.faults.soak_ai_worker import QuickWorker
from tests.sdk.installation import prepared, serving

_LOOK_SECONDS: Final = 0.02
_ARTIFACTS: Final = "/~artifacts/"
_OVER: Final = """
SELECT NOT EXISTS (SELECT FROM jobs WHERE state IN ('waiting', 'queued', 'running'))
   AND NOT EXISTS (SELECT FROM deliveries WHERE state = 'waiting')
   AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))
"""


class Stage:
    """Both uploads; ``name`` is that of the database and the prefix."""

    def __init__(
        self, addresses: Addresses, folder: Path, receiver: Receiver, *, name: str
    ) -> None:
        self.receiver = receiver
        self.folder = folder
        self.prefix = name
        self.bucket = addresses.s3_bucket
        self.s3: Any = buckets.client(
            addresses.s3_endpoint, access_key=addresses.access_key, secret_key=addresses.secret_key
        )
        self.upload_ids: dict[str, str] = {}
        self._addresses = addresses
        changes = {**SETTINGS, **receiver.settings, "COORDINATOR_S3_PREFIX": name}
        self._environ, self._key = prepared(addresses, database=name, **changes)

    def upload(self, *, rows: int, texts: int, seed: int) -> Files:
        """Make both files and upload them; there is no worker yet."""
        files = generate(self.folder, rows=rows, texts=texts, seed=seed)
        with serving(self._environ, self.folder) as url:
            service = Service(url, self._key)
            for purpose, path in files.paths().items():
                self.upload_ids[purpose] = service.upload(path, purpose)
            service.close()
        return files

    @property
    def expected_facts(self) -> Mapping[tuple[str, str, str | None], int]:
        """Return what receivers of events must hear, once each."""
        return expected_events(self.upload_ids)

    @contextmanager
    def run(self, name: str, **changes: str) -> Iterator["Run"]:
        """Copy the database and run a worker on it until the block ends."""
        database = f"{self.prefix}_{name}"
        with psycopg.connect(self._addresses.database_url, autocommit=True) as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(database), sql.Identifier(self.prefix)
                )
            )
        self.receiver.forget()
        dsn = f"{self._addresses.database_url.rpartition('/')[0]}/{database}"
        environ = {**self._environ, **changes, "COORDINATOR_DATABASE_URL": dsn}
        running = Run(self, QuickWorker(environ, self.folder / f"worker-{name}.log"), dsn)
        running.worker.start()
        try:
            yield running
        finally:
            running.worker.stop()
            running.worker.kill()
            self._clear()

    def _clear(self) -> None:
        """Leave the uploads, and nothing that jobs have made of them."""
        for key in keys_of(self.s3, self.bucket, self.prefix):
            if _ARTIFACTS in key:
                self.s3.delete_object(Bucket=self.bucket, Key=key)


class Run:
    """One worker at a time, until everything is over."""

    def __init__(self, stage: Stage, worker: QuickWorker, dsn: str) -> None:
        self.worker = worker
        self.dsn = dsn
        self._stage = stage

    def finish(self, *, seconds: float) -> Evidence:
        """Wait until all is done, and say what is left."""
        deadline = time.monotonic() + seconds
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            while not _is_over(conn):
                assert time.monotonic() < deadline, f"not over within {seconds} s: {self.log()}"
                assert self.worker.is_running, f"the worker has ended: {self.log()}"
                time.sleep(10 * _LOOK_SECONDS)
        return gather(
            self.dsn,
            self._stage.s3,
            self._stage.receiver,
            bucket=self._stage.bucket,
            prefix=self._stage.prefix,
        )

    def log(self) -> str:
        """Return the end of what workers wrote."""
        return self.worker.log.read_text()[-3000:]


def _is_over(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(_OVER).fetchone()
    assert row is not None
    return bool(row[0])


_BUSY: Final = """
SELECT DISTINCT j.kind
  FROM procrastinate_jobs AS q JOIN jobs AS j ON j.id = (q.args->>'job_id')::uuid
 WHERE q.status = 'doing' AND q.worker_id > %s AND j.state = 'running' AND j.attempt <= %s
"""
_ANY: Final = 1_000
_NEWEST: Final = "SELECT coalesce(max(id), 0) FROM procrastinate_workers"


class BusyClock:
    """Counts the time in which the newest worker is at a job, in one of its first attempts."""

    def __init__(self, dsn: str, *, attempts: int) -> None:
        self._attempts = attempts
        self._conn = psycopg.connect(dsn, autocommit=True)
        self._older = 0
        self.seconds = 0.0
        self.kinds: list[str] = []

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()

    def begin(self) -> None:
        """Count anew; only workers that start from now on count."""
        row = self._conn.execute(_NEWEST).fetchone()
        assert row is not None
        self._older, self.seconds, self.kinds = row[0], 0.0, []

    def look(self, since: float) -> float:
        """Add the time since the last look if a job is running; return the time of this one."""
        time.sleep(_LOOK_SECONDS)
        values = [self._older, self._attempts]
        self.kinds = [row[0] for row in self._conn.execute(_BUSY, values).fetchall()]
        now = time.monotonic()
        self.seconds += now - since if self.kinds else 0.0
        return now


@contextmanager
def measured(run: Run) -> Iterator[list[float]]:
    """Put into the list, when the block ends, for how long the run was busy."""
    clock = BusyClock(run.dsn, attempts=_ANY)
    found, ended = list[float](), threading.Event()

    def watch() -> None:
        at = time.monotonic()
        while not ended.is_set():
            at = clock.look(at)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        found.append(clock.seconds)
        clock.close()
