"""The plugin by which all workers of a test run share one set of servers (tests/servers.py)."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.embedded.starting import PATIENCE_S, ROOT, environment, wait_until

pytestmark = pytest.mark.alone

NEEDS_NONE = """
def test_without_servers():
    pass
"""
NEEDS_SERVERS = """
import json, time
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_with_servers(servers, worker_id, number):
    Path(f"new-{number}").write_text(json.dumps([worker_id, servers.database_url]))
    Path(f"new-{number}").rename(f"seen-{number}.json")
    while Path("wait").exists():
        time.sleep(0.05)
"""


def _run(home: Path, tests: str, *options: str) -> subprocess.Popen[bytes]:
    """Start pytest in ``home`` with a temporary folder of its own, to see what it leaves there."""
    (home / "tmp").mkdir(parents=True)
    (home / "test_it.py").write_text(tests)
    words = ["-q", "-p", "tests.servers", "-p", "no:cacheprovider", "-c", "/dev/null", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *words, f"--rootdir={home}", "test_it.py"],
        cwd=home,
        env=environment(TMPDIR=str(home / "tmp"), PYTHONPATH=str(ROOT)),
        stdout=subprocess.DEVNULL,
    )


def _is_swept(folder: Path) -> bool:
    return list(folder.glob("coordinator-*")) == []


def _seen(home: Path) -> Sequence[tuple[str, str]]:
    return [json.loads(path.read_bytes()) for path in sorted(home.glob("seen-*.json"))]


def test_workers_share_one_set_which_ends_with_the_run(home: Path) -> None:
    """Two sets would cost memory and time, and a set that stays would add up."""
    with _run(home, NEEDS_SERVERS, "-n2") as run:
        code = run.wait(PATIENCE_S)

    (_, url), (_, other_url) = _seen(home)
    assert code == 0
    assert url == other_url
    assert _is_swept(home / "tmp")


def test_kill_9_of_a_run_leaves_no_server(home: Path) -> None:
    """Whoever loses patience with the tests should not pay in memory."""
    home.mkdir()
    (home / "wait").touch()
    with _run(home, NEEDS_SERVERS, "-n2") as run:
        try:
            wait_until(lambda: len(_seen(home)) == 2)
        finally:
            run.kill()
    (worker, _), (other_worker, _) = _seen(home)

    # The workers still hold out: it is pytest's own end that counts.
    wait_until(lambda: _is_swept(home / "tmp"))
    (home / "wait").unlink()
    assert {worker, other_worker} == {"gw0", "gw1"}


def test_a_run_that_needs_no_server_starts_none(home: Path) -> None:
    """`pytest tests/domain` takes a second, and works where the wheels do not."""
    with _run(home, NEEDS_NONE) as run:
        wait_until(lambda: run.poll() is not None or list(home.glob("tmp/*/*.holder")) != [])
        started = list(home.glob("tmp/*/*.holder"))
        code = run.wait(PATIENCE_S)

    assert started == []
    assert code == 0
    assert _is_swept(home / "tmp")
