"""The commands as a shell runs them: real processes, real signals, real memory."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from coordinator.sdk import Client
from tests.sdk.installation import COORDINATOR, Installation, serving
from tests.sdk.meddler import Meddler

MIB = 1024 * 1024
CHUNK = 5 * MIB
ROWS = [os.fsencode(f'{{"row": {number}}}\n') for number in range(100)]

MakeFile = Callable[[int], Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(installation: Installation, tmp_path: Path) -> Run:
    """Return a function that runs a command to its end, in the test's folder."""

    def run(*arguments: object, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COORDINATOR, *map(str, arguments)],
            env={**installation.client_environ, **environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def _start(installation: Installation, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COORDINATOR, *map(str, arguments)],
        env=installation.client_environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_after_kill_9_only_the_missing_chunks_are_sent(
    installation: Installation, run: Run, make_file: MakeFile, meddler: Meddler
) -> None:
    """There is no state file: the service knows, and the file proves that it is the same."""
    path = make_file(60 * MIB)
    meddler.reset(pause_s=0.3)
    command = ["upload", path, "--chunk-size", CHUNK, "--concurrency", 2]
    process = _start(installation, *command)
    meddler.await_stored(5)
    process.kill()
    process.communicate()
    meddler.settle()
    before = list(meddler.stored)
    meddler.pause_s = 0

    again = run(*command, "--json")

    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["status"] == "completed"
    assert len(before) < 12
    assert sorted(meddler.stored) == list(range(12))


def test_ctrl_c_says_how_to_go_on_and_the_upload_can_be_named(
    installation: Installation, run: Run, make_file: MakeFile, meddler: Meddler
) -> None:
    """Exit code 130 as shells expect; the id is for those who come back after a day."""
    path = make_file(40 * MIB)
    meddler.reset(pause_s=0.5)
    process = _start(installation, "upload", path, "--chunk-size", CHUNK, "--concurrency", 1)
    meddler.await_stored(2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    meddler.settle()
    meddler.pause_s = 0

    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in errors
    upload_id = errors.split("--resume ")[1].split(")")[0]
    resumed = run("upload", path, "--resume", upload_id, "--json")
    assert json.loads(resumed.stdout)["uploadId"] == upload_id
    assert sorted(meddler.stored) == list(range(8))


def test_an_upload_is_shown_listed_verified_and_comes_back(run: Run, tmp_path: Path) -> None:
    """The whole of what the commands do, as a person would do it."""
    (tmp_path / "rows.jsonl").write_bytes(b"".join(ROWS))

    uploaded = run("upload", "rows.jsonl", "--purpose", "training", "--wait")
    assert uploaded.returncode == 0, uploaded.stderr
    upload_id = uploaded.stdout.split()[1]
    assert "generate_metadata: succeeded" in uploaded.stdout

    shown = json.loads(run("status", upload_id, "--json").stdout)
    assert (shown["status"], shown["metadata"]) == ("COMPLETED", {"purpose": "training"})
    assert f"{upload_id}  COMPLETED" in run("list", "--phase", "completed").stdout
    assert upload_id in [
        json.loads(line)["uploadId"] for line in run("list", "--json").stdout.splitlines()
    ]
    assert run("verify", "rows.jsonl", upload_id).returncode == 0
    existing = run("download", upload_id)
    assert (existing.returncode, "exists" in existing.stderr) == (1, True)
    assert run("download", upload_id, "-o", "back.jsonl").returncode == 0
    assert (tmp_path / "back.jsonl").read_bytes() == b"".join(ROWS)
    assert run("abort", upload_id).returncode == 1


def test_verify_names_the_chunks_that_differ(
    run: Run, client: Client, make_file: MakeFile, tmp_path: Path
) -> None:
    """By upload or by a manifest in a file, without any service then."""
    path = make_file(2 * CHUNK + 5)
    handle = client.upload(path, chunk_size=CHUNK)
    (tmp_path / "m.json").write_bytes(client._service.manifest(handle.upload_id))
    with path.open("r+b") as file:
        file.seek(2 * CHUNK)
        file.write(b"other")

    by_id = run("verify", path, handle.upload_id)
    by_manifest = run("verify", path, "m.json", "--json", COORDINATOR_URL="http://127.0.0.1:1")

    assert by_id.returncode == by_manifest.returncode == 1
    assert f"chunk 2: bytes {2 * CHUNK} to {2 * CHUNK + 5}" in by_id.stdout
    assert json.loads(by_manifest.stdout)["wrong_chunks"] == [2]


@pytest.mark.parametrize(
    ("arguments", "environ", "code"),
    [
        (["status", "upl_00000000000000000000000000"], {}, 1),
        (["status", "../../healthz"], {}, 1),
        (["upload", "none.bin"], {}, 2),
        (["upload", "."], {}, 2),
        (["upload"], {}, 2),
        (["upload", "a", "--metadata", "[1]"], {}, 2),
        (["list"], {"COORDINATOR_KEY": "a typing mistake"}, 2),
        (["list"], {"COORDINATOR_URL": ""}, 2),
        (["list"], {"COORDINATOR_URL": "ftp://example.org"}, 2),
        (["list"], {"COORDINATOR_URL": "http://[::1"}, 2),
        (["list"], {"COORDINATOR_URL": "http://127.0.0.1:1"}, 3),
        (["list"], {"COORDINATOR_API_KEY": "canary"}, 4),
    ],
)
def test_scripts_can_tell_failures_by_the_exit_code(
    run: Run, arguments: Sequence[str], environ: dict[str, Any], code: int
) -> None:
    """And people by one line: no traceback, and never the key."""
    done = run(*arguments, **environ)

    assert (done.returncode, done.stdout) == (code, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


def test_a_changed_file_has_an_exit_code_of_its_own_and_json_stays_json(
    installation: Installation, run: Run, make_file: MakeFile, meddler: Meddler
) -> None:
    """A script may then start a new upload; the other files are uploaded all the same."""
    path = make_file(20 * MIB)
    meddler.reset(pause_s=0.5)
    process = _start(installation, "upload", path, "--chunk-size", CHUNK, "--concurrency", 1)
    meddler.await_stored(1)
    process.kill()
    process.communicate()
    meddler.settle()
    meddler.pause_s = 0
    times = path.stat()
    path.write_bytes(b"x" * 20 * MIB)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (path.parent / "other").write_bytes(b"")

    done = run("upload", path, path.parent / "other", "--chunk-size", CHUNK, "--json")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 5
    assert lines[0]["error"]["code"] == "filechanged"
    assert lines[1]["status"] == "completed"


def test_memory_stays_below_200_mib_whatever_the_size(
    servers: Any, installation: Installation, tmp_path: Path
) -> None:
    """2 GiB in chunks of 256 MiB, four at once: no chunk is ever in memory as a whole."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(2 * 1024 * MIB)
    # VmHWM, since ru_maxrss begins with what the process that forked us had.
    measure = (
        "import re, sys; from coordinator.__main__ import main\n"
        "try: main()\n"
        "finally: print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1],"
        " file=sys.stderr)"
    )
    public = {"COORDINATOR_S3_PUBLIC_ENDPOINT": servers.s3_endpoint}
    with serving(installation.environ, tmp_path, **public) as url:
        done = subprocess.run(
            [sys.executable, "-c", measure, "upload", path, "--chunk-size", str(256 * MIB)],
            env={**installation.client_environ, "COORDINATOR_URL": url},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert int(done.stderr.splitlines()[-1]) < 200 * 1024
