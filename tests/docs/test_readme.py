"""README's examples, pasted into a shell beside a running installation."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

import manifests

_ROOT: Final = Path(__file__).parents[2]
_TESTED: Final = re.compile(r"<!-- tested -->\n```(sh|python)\n(.*?)\n```\n", re.DOTALL)
_START_S: Final = 90.0
_RUN_S: Final = 300.0
_CHUNK_BYTES: Final = 8 * 1024 * 1024


def _environ() -> dict[str, str]:
    """Whatever this shell has set for a service must not help the examples."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COORDINATOR_", "AWS_"))
    }


def _free_port() -> int:
    """Return a port far from those that other tests' installations start to look at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def home() -> Iterator[Path]:
    """The folder of a running ``coordinator dev``, which is what ``make run`` starts."""
    folder = Path(tempfile.mkdtemp(prefix="readme-"))
    with (folder / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "coordinator", "dev"],
            cwd=_ROOT,
            env={
                **_environ(),
                "COORDINATOR_HOME": str(folder / "home"),
                "COORDINATOR_PORT": str(_free_port()),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + _START_S
        while not (folder / "home" / "run.env").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((folder / "dev.log").read_text(), pytrace=False)
            time.sleep(0.05)
        yield folder / "home"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_START_S)
        shutil.rmtree(folder)


def _script() -> str:
    """Join the examples, Python fed to ``python``, as somebody would paste them one by one."""
    blocks = _TESTED.findall((_ROOT / "README.md").read_text(encoding="utf-8"))
    return "\n".join(
        text if kind == "sh" else f"python - <<'END_OF_PYTHON'\n{text}\nEND_OF_PYTHON"
        for kind, text in blocks
    )


class _Pasted:
    """What the examples have printed, and the folder that they have worked in."""

    def __init__(self, printed: str, folder: Path) -> None:
        self.printed = printed
        self.folder = folder

    def answer(self, name: str) -> dict[str, Any]:
        """Read an answer of the service that the examples have kept."""
        members: dict[str, Any] = json.loads((self.folder / name).read_bytes())
        return members


@pytest.fixture
def pasted(home: Path, tmp_path: Path) -> _Pasted:
    """Run all examples in one shell that ends at the first command that fails."""
    (tmp_path / ".local").symlink_to(home)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "script").write_text(f"set -eu\n{_script()}\npwd > '{tmp_path}/where'\n", "utf-8")
    done = subprocess.run(
        ["sh", "script"],
        cwd=tmp_path,
        env={**_environ(), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return _Pasted(done.stdout, Path((tmp_path / "where").read_text("utf-8").strip()))


def _root_of(path: Path) -> str:
    data = path.read_bytes()
    starts = range(0, len(data), _CHUNK_BYTES)
    return manifests.root(b"".join(sha256(data[at : at + _CHUNK_BYTES]).digest() for at in starts))


def _the_curl_lines_end_in_a_completed_upload_with_the_files_root(pasted: _Pasted) -> None:
    """The root is computed here from the file, and there from what S3 has."""
    answer = pasted.answer("complete.json")

    assert answer["status"] == "completed"
    assert answer["manifest"]["root"] == _root_of(pasted.folder / "sample.jsonl")
    assert answer["manifest"]["chunks"] == len(list(pasted.folder.glob("chunk.*"))) == 2


def _the_damaged_chunk_is_refused_by_s3(pasted: _Pasted) -> None:
    """README promises the word; the PUT before the right one must be the only one refused."""
    assert pasted.printed.count("<Code>BadDigest</Code>") == pasted.printed.count("<Error>") == 1


def _the_curl_lines_report_progress_chunk_by_chunk(pasted: _Pasted) -> None:
    """Two reports, then a status that knows both."""
    found = re.findall(r'"progress":{"uploaded":(\d+),"total":2,', pasted.printed)

    assert found == ["1", "2", "2"]


def _the_manifest_lines_are_the_digests_of_the_chunks(pasted: _Pasted) -> None:
    """What the service kept is what lies in the folder, in the form of sha256sum."""
    chunks = sorted(pasted.folder.glob("chunk.*"))
    lines = [
        f"{sha256(chunk.read_bytes()).hexdigest()}  sample.jsonl.{index:05d}"
        for index, chunk in enumerate(chunks)
    ]

    assert "\n".join(lines) in pasted.printed


def _the_job_has_counted_the_rows(pasted: _Pasted) -> None:
    """The last lines wait for the worker and show its result."""
    assert '"rows": 300000' in pasted.printed
    assert '"status": "succeeded"' in pasted.printed


def _the_same_bytes_come_back(pasted: _Pasted) -> None:
    """By curl and by the command line."""
    folder = pasted.folder

    assert "the same bytes came back" in pasted.printed
    assert (folder / "back.jsonl").read_bytes() == (folder / "sample.jsonl").read_bytes()
    assert (folder / "again.jsonl").read_bytes() == (folder / "twice.jsonl").read_bytes()


def _the_stream_ends_with_the_jobs(pasted: _Pasted) -> None:
    """All is over when it is asked, so three events are all; the command line says the same."""
    events = re.findall(r"^event: (\w+)$", pasted.printed, re.MULTILINE)
    followed = re.findall(r"^(progress|phase|jobs)  ", pasted.printed, re.MULTILINE)

    assert sorted(events) == sorted(followed) == ["jobs", "phase", "progress"]
    assert re.search(r"^jobs  .*generate_metadata: succeeded", pasted.printed, re.MULTILINE)


def _the_command_line_uploads_once_and_verifies(pasted: _Pasted) -> None:
    """Its second upload of the same file finds the first: the list shows one at that time."""
    uploaded = re.findall(r"^twice\.jsonl  (upl_\w+)  completed$", pasted.printed, re.MULTILINE)
    listed = re.findall(r"^(upl_\w+)  COMPLETED +\S+ MB  twice", pasted.printed, re.MULTILINE)
    shown = re.findall(r"^(upl_\w+)  COMPLETED$", pasted.printed, re.MULTILINE)[:1]

    assert len(uploaded) == 1
    assert uploaded == listed == shown
    assert f"twice.jsonl: same, 3 chunk(s), {_root_of(pasted.folder / 'twice.jsonl')}" in (
        pasted.printed
    )


def _the_python_lines_print_location_root_jobs_and_verdict(pasted: _Pasted) -> None:
    """Four values, in the order of the example."""
    root = re.escape(_root_of(pasted.folder / "sample.jsonl"))

    assert re.search(
        rf"^s3://\S+/sample\.jsonl {root}\n(?:\w+ succeeded\n){{5}}True$",
        pasted.printed,
        re.MULTILINE,
    )


_CHECKS: Final[list[Callable[[_Pasted], None]]] = [
    _the_curl_lines_end_in_a_completed_upload_with_the_files_root,
    _the_damaged_chunk_is_refused_by_s3,
    _the_curl_lines_report_progress_chunk_by_chunk,
    _the_manifest_lines_are_the_digests_of_the_chunks,
    _the_job_has_counted_the_rows,
    _the_same_bytes_come_back,
    _the_stream_ends_with_the_jobs,
    _the_command_line_uploads_once_and_verifies,
    _the_python_lines_print_location_root_jobs_and_verdict,
]


def test_the_examples_work_when_pasted(pasted: _Pasted, subtests: pytest.Subtests) -> None:
    """One test, so that one worker starts one installation; each promise is looked at by itself."""
    for check in _CHECKS:
        with subtests.test(check.__name__.strip("_").replace("_", " ")):
            check(pasted)
