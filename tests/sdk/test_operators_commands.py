"""What operators type: statistics, and a job that is run again."""

import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

import httpx
import psycopg
import pytest
from click.testing import Result

from coordinator.domain import ids
from coordinator.domain.access import Role
from coordinator.sdk import Client
from tests.sdk.installation import Installation, key_in, runner

Run = Callable[..., Result]
_PATIENCE_S: Final = 30.0


@pytest.fixture
def run(installation: Installation) -> Run:
    """Return a function that runs a command with an operator's key."""
    key = key_in(installation, tenant="default", user="olga", roles=(Role.OPERATOR,))
    return runner(installation, key)


@pytest.fixture
def upload_id(client: Client, tmp_path: Path) -> str:
    """A completed upload of six bytes."""
    path = tmp_path / "numbers.csv"
    path.write_bytes(b"a\n1\n2\n")
    return client.upload(path, file_type="text/csv").upload_id


@pytest.mark.usefixtures("upload_id")
def test_statistics_are_a_table_for_people_and_json_for_scripts(run: Run) -> None:
    """The same numbers; sizes are human where people read."""
    today = json.loads(run("stats", "--json").stdout)["to"]

    as_json = run("stats", "--by", "fileType", "--from", today, "--to", today, "--json")
    as_table = run("stats", "--by", "tenant", "--every", "month")

    answer = json.loads(as_json.stdout)
    row = next(row for row in answer["rows"] if row["key"] == "text/csv")
    assert {name: answer[name] for name in answer if name != "rows"} == {
        "by": "fileType",
        "from": today,
        "to": today,
        "every": "day",
    }
    assert row["completed"] >= 1
    assert row["bytes"] == 6 * row["completed"]
    assert date.fromisoformat(today)
    assert as_table.exit_code == 0
    lines = [line.split() for line in as_table.stdout.splitlines() if line.strip()]
    assert lines[0] == ["period", "tenant", "opened", "completed", "failed", "bytes"]
    assert any(line[:2] == [today[:7], "default"] for line in lines)


def _ended_job(installation: Installation, upload_id: str) -> tuple[str, str, int]:
    """Wait until the upload's only job has ended; return its id, state and attempt."""
    deadline = time.monotonic() + _PATIENCE_S
    headers = {"Authorization": f"Bearer {installation.key}"}
    while time.monotonic() < deadline:
        answer = httpx.get(f"{installation.url}/api/uploads/{upload_id}/jobs", headers=headers)
        [job] = answer.json()["jobs"]
        if job["status"] in {"succeeded", "failed"}:
            return job["jobId"], job["status"], job["attempt"]
        time.sleep(0.1)
    raise AssertionError("the worker did not run the job")


def test_a_failed_job_runs_again(run: Run, installation: Installation, upload_id: str) -> None:
    """By the worker that is running, and only where it failed."""
    job_id, status, attempt = _ended_job(installation, upload_id)
    early = run("retry", job_id)
    with psycopg.connect(installation.environ["COORDINATOR_DATABASE_URL"]) as conn:
        conn.execute(
            "UPDATE jobs SET state = 'failed', error_code = 'X', result = NULL WHERE id = %s",
            [ids.decode(ids.JOB, job_id)],
        )

    again = run("retry", job_id)

    assert (status, attempt) == ("succeeded", 1)
    assert early.exit_code == 1
    assert "has not failed" in early.stderr
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == f"{job_id}  generate_metadata  queued; attempt 2 follows\n"
    assert _ended_job(installation, upload_id) == (job_id, "succeeded", 2)


def test_a_jobs_id_is_looked_at_before_it_is_sent(run: Run) -> None:
    """Nothing that is typed becomes another path."""
    refused = run("retry", "../keys")

    assert refused.exit_code == 2
    assert "job_" in refused.stderr
