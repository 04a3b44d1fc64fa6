"""`coordinator dev --traces` as a developer meets it: a terminal, an upload, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from coordinator.cli.local import RUN_ENV
from coordinator.env_files import read_env_file
from coordinator.sdk import Client

_PATIENCE_S = 120.0
_BRANCH = re.compile(r"^(?P<branch>[│├└─ ]*)(?P<name>\S.*?) +(?P<process>service|worker) ")


@contextmanager
def _dev(home: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    own = ("COORDINATOR_", "AWS_", "OTEL_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    with output.open("wb") as log:
        dev = subprocess.Popen(
            [sys.executable, "-m", "coordinator", "dev", "--traces"],
            env={
                **environ,
                "COORDINATOR_HOME": str(home),
                "OTEL_SDK_DISABLED": "true",
                "COLUMNS": "150",
            },
            stdout=log,
            stderr=log,
        )
    try:
        yield dev
    finally:
        dev.send_signal(signal.SIGINT)
        dev.wait(_PATIENCE_S)


def _until(path: Path, sign: str = "") -> None:
    """Wait until the file is there and holds the sign."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (path.exists() and sign in path.read_text()):
        assert time.monotonic() < deadline, f"no {sign or path.name}"
        time.sleep(0.1)


def test_an_upload_is_shown_as_trees_from_the_request_to_the_job(home: Path) -> None:
    """With what the user's own variables say of tracing put aside for the time."""
    home.parent.joinpath("data.jsonl").write_text('{"a": 1}\n')
    output = home.parent / "output"
    with _dev(home, output) as dev:
        _until(home / RUN_ENV)
        local = read_env_file(home / RUN_ENV)
        with Client(local["COORDINATOR_URL"], local["COORDINATOR_API_KEY"]) as client:
            upload = client.upload(home.parent / "data.jsonl")
        _until(output, "run_job")
        with Client(local["COORDINATOR_URL"], local["COORDINATOR_API_KEY"]) as client:
            client.status(upload.upload_id)
        # Service and worker, as which it all went well, could not change what was noted of it.
        with (
            psycopg.connect(local["COORDINATOR_DATABASE_URL"]) as conn,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            conn.execute("DELETE FROM audit")

    assert dev.returncode == 0
    assert [name for name in local if name.startswith("OTEL_")] == []
    shown = output.read_text()
    [tree] = [each for each in shown.split("\n\ntrace ") if "POST /api/upload/complete" in each]
    assert tree.splitlines()[0].endswith(upload.upload_id)
    rows = [found for line in tree.splitlines() if (found := _BRANCH.match(line))]
    drawn = {(len(row["branch"]) // 3, row["name"], row["process"]) for row in rows}
    assert drawn >= {
        (0, "POST /api/upload/complete 200", "service"),
        (1, "Postgres SELECT uploads, UPDATE uploads", "service"),
        (1, "drive_upload complete", "service"),
        (2, "S3 ListParts", "service"),
        (2, "S3 CompleteMultipartUpload", "service"),
        (2, "Redis forget", "service"),
        (2, "run_job generate_metadata", "worker"),
    }
    beneath = [name for depth, name, process in drawn if (depth, process) == (3, "worker")]
    assert any("UPDATE jobs" in name for name in beneath), beneath
    # The last request was sent just before the end, and is shown all the same.
    assert "GET /api/upload/status/{upload_id} 200" in shown
