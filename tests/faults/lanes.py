"""A lane runs scenarios one after the other, each on a fresh database, in forked processes.

Rule: a lane has no threads and no event loop, so that what it forks is whole. Its children inherit
every import and the built application, which alone would take longer than a run.
"""

import asyncio
import gc
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import botocore.session
import httpx
import msgspec
import psycopg
from psycopg import sql
from redis import Redis

from coordinator import settings as settings_module
from coordinator.adapters.migrations import migrate
from coordinator.app import create_app
from coordinator.domain.keys import ENTROPY_BYTES, hash_of, mint
from coordinator.embedded import bucket as buckets
from coordinator.points import Point
from coordinator.settings import Settings
from coordinator.telemetry import configure_logs
from tests.faults import files, gathering, journal
from tests.faults.evidence import Evidence
from tests.faults.histories import Violation, check
from tests.faults.scenarios import Crash, Scenario, scenario
from tests.faults.stages import Stage

_PATIENCE_S: Final = 120
_KEY: Final = mint(b"k" * ENTROPY_BYTES)
_OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = %s AND backend_type = 'client backend'
"""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run."""

    point: Point
    seed: int
    is_reached: bool
    crashes: int
    violations: list[Violation]
    seconds: float
    folder: str = ""


class Lane:
    """Runs scenarios on a database, a Valkey database and a prefix of its own."""

    def __init__(self, place: "Place", settings: Settings, *, template: str) -> None:
        base, _, self._database = settings.database_url.rpartition("/")
        self._admin = psycopg.connect(f"{base}/postgres", autocommit=True)
        self._template = template
        self._settings = settings
        self._folder = Path(place.folder)
        self._redis = Redis.from_url(settings.redis_url, decode_responses=True)
        self._s3 = buckets.client(
            place.s3_endpoint, access_key=place.access_key, secret_key=place.secret_key
        )
        self._app = create_app(settings)

    def run(self, wanted: "Wanted") -> Outcome:
        """Run the scenario that point and seed name, judge it, keep the evidence if it fails."""
        began = time.monotonic()
        planned = scenario(wanted.point, wanted.seed)
        folder = self._folder / f"{wanted.point}-{wanted.seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._renew_stores()
        crashes, broken = self._live_and_die(planned, folder)
        evidence = self._gather(planned, folder)
        violations = [*broken, *check(evidence)]
        keeps = wanted.keeps or bool(violations)
        if keeps:
            _keep(folder, planned, evidence, violations)
        else:
            shutil.rmtree(folder)
        gathering.clear(self._s3, self._settings.s3_bucket, self._settings.s3_prefix)
        return Outcome(
            point=wanted.point,
            seed=wanted.seed,
            is_reached=crashes >= planned.main,
            crashes=crashes,
            violations=violations,
            seconds=time.monotonic() - began,
            folder=str(folder) if keeps else "",
        )

    def _renew_stores(self) -> None:
        name, template = sql.Identifier(self._database), sql.Identifier(self._template)
        self._admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        self._admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template))
        self._redis.flushdb()

    def _live_and_die(self, planned: Scenario, folder: Path) -> tuple[int, list[Violation]]:
        """Start process after process until one lives to the end; say how many were killed."""
        for stage in range(len(planned.crashes) + 1):
            crash = planned.crashes[stage] if stage < len(planned.crashes) else None
            status = self._fork(planned, folder, stage, crash)
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
                return stage, []
            if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
                return stage, [Violation("driver", f"stage {stage} ended with {status}")]
            self._wait_for_backends()
        raise AssertionError("the last process has no crash to die of")

    def _fork(self, planned: Scenario, folder: Path, stage: int, crash: Crash | None) -> int:
        pid = os.fork()
        if pid == 0:
            _as_child(
                folder / f"stage-{stage}.log",
                lambda: self._live(planned, folder, stage, crash),
            )
        _, status = os.waitpid(pid, 0)
        return status

    def _live(self, planned: Scenario, folder: Path, stage: int, crash: Crash | None) -> None:
        notes = journal.Journal(folder / "journal.jsonl", stage)
        life = Stage(self._app, self._settings, _KEY.text, planned, notes)
        asyncio.run(life.live(stage, crash))

    def _wait_for_backends(self) -> None:
        """Wait until Postgres has ended what the killed process had begun."""
        while True:
            row = self._admin.execute(_OTHERS, [self._database]).fetchone()
            if row is None or row[0] == 0:
                return
            time.sleep(0.005)

    def _gather(self, planned: Scenario, folder: Path) -> Evidence:
        return gathering.gather(
            self._settings.database_url,
            self._s3,
            self._redis,
            bucket=self._settings.s3_bucket,
            prefix=self._settings.s3_prefix,
            files={name: files.file_of(planned, name) for name in files.names(planned)},
            lines=journal.read(folder / "journal.jsonl"),
        )


def _as_child(log: Path, live: Callable[[], None]) -> None:
    """Live in a forked process; never return."""
    code = 3
    try:
        gc.disable()  # a collection would copy every page that the lane shares
        signal.alarm(_PATIENCE_S)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        live()
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        log.write_text(log.read_text() + traceback.format_exc())
    finally:
        os._exit(code)


def _keep(folder: Path, planned: Scenario, evidence: Evidence, violations: list[Violation]) -> None:
    """Keep what is needed to understand a failure without running it again."""
    for name, value in (
        ("scenario", planned),
        ("violations", violations),
        ("evidence", evidence),
    ):
        (folder / f"{name}.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(value), indent=1)
        )


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lane runs: its first line of input. ``name`` is its database, folder and prefix."""

    name: str
    folder: str
    database_url: str
    redis_url: str
    s3_endpoint: str
    s3_bucket: str
    s3_region: str
    access_key: str
    secret_key: str


class Wanted(msgspec.Struct, frozen=True):
    """One run, as asked for in a line of input."""

    point: Point
    seed: int
    keeps: bool = False  # the evidence, although all is well


def _settings(place: Place) -> Settings:
    base, _, _ = place.database_url.rpartition("/")
    os.environ["AWS_ACCESS_KEY_ID"] = place.access_key
    os.environ["AWS_SECRET_ACCESS_KEY"] = place.secret_key
    os.environ["AWS_DEFAULT_REGION"] = place.s3_region
    return settings_module.read(
        {
            "COORDINATOR_DATABASE_URL": f"{base}/{place.name}",
            "COORDINATOR_REDIS_URL": place.redis_url,
            "COORDINATOR_S3_ENDPOINT": place.s3_endpoint,
            "COORDINATOR_S3_BUCKET": place.s3_bucket,
            "COORDINATOR_S3_PREFIX": place.name,
            "COORDINATOR_SECRET": "a secret of the soak, long enough for all",
            "COORDINATOR_POOL_SIZE": "4",
        }
    )


def _prepare(place: Place, settings: Settings) -> str:
    """Make the database that every run clones: migrated, with a history, and an API key."""
    base, _, _ = place.database_url.rpartition("/")
    name = f"{place.name}_template"
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    asyncio.run(migrate(f"{base}/{name}"))
    with psycopg.connect(f"{base}/{name}", autocommit=True) as conn:
        conn.execute(gathering.SCHEMA)
        conn.execute(
            "INSERT INTO api_keys (id, hash, name, tenant, user_id) VALUES (%s, %s, %s, %s, %s)",
            [_KEY.key_id, hash_of(_KEY.text, secret=settings.secret), "soak", "default", "alice"],
        )
    return name


def _warm_up(place: Place) -> None:
    """Import and read here what every process would import and read anew, for 0.5 s each."""
    loader = botocore.session.create_loader(None)

    def warm(search_path_string: str | None = None) -> Any:
        del search_path_string  # nobody here has files of their own
        return loader

    botocore.session.create_loader = warm
    configure_logs("info")
    files.chunks_of("three", "warm")

    async def speak_http() -> None:
        async with httpx.AsyncClient(verify=False) as http:
            await http.get(place.s3_endpoint)

    asyncio.run(speak_http())
    assert threading.active_count() == 1, "what is forked beside threads may hang"


def main() -> None:
    """Read a place and then wishes from stdin, a line each; answer each wish with its outcome."""
    place = msgspec.json.decode(sys.stdin.readline(), type=Place)
    settings = _settings(place)
    _warm_up(place)
    lane = Lane(place, settings, template=_prepare(place, settings))
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        wanted = msgspec.json.decode(line, type=Wanted)
        outcome = lane.run(wanted)
        sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
        sys.stdout.flush()
    # What C libraries print of their own clean-up is nobody's concern.
    os._exit(0)


if __name__ == "__main__":
    main()
