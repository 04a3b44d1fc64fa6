"""The keeper by itself, with small processes in place of servers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.embedded import EmbeddedError, Keeper
from coordinator.embedded.keeper_process import identity
from tests.embedded.starting import environment, wait_until

SLEEP = ["sleep", "600"]
TELLS_ITS_END = (
    "trap 'sleep 0.2; echo $0 >> ended; exit' TERM; echo ready; while :; do sleep 0.05; done"
)
FORKS = """
import os, sys, time
from pathlib import Path
from coordinator.embedded import Keeper
keeper = Keeper(Path(sys.argv[1]))
kept = keeper.start("sleep", ["sleep", "600"])
fork = os.fork()
if fork:
    print(keeper.keeper_pid, kept, fork, flush=True)
time.sleep(600)
"""


def test_what_uses_the_servers_ends_before_them(home: Path) -> None:
    """A worker that drains still needs its database."""
    with Keeper(home) as keeper:
        for name, group in (("server", 0), ("worker", 1)):
            keeper.start(name, ["sh", "-c", TELLS_ITS_END, name], cwd=home, group=group)
            wait_until(lambda name=name: "ready" in keeper.log_path(name).read_text())  # type: ignore[misc]

    assert (home / "ended").read_text().split() == ["worker", "server"]


def test_what_ignores_its_stop_signal_is_killed_after_the_grace(home: Path) -> None:
    """An end that never comes would keep the folder locked."""
    deaf = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
    with Keeper(home) as keeper:
        for name in ("one", "other"):
            keeper.start(name, ["sh", "-c", deaf], grace_s=0.2)
            wait_until(lambda name=name: "ready" in keeper.log_path(name).read_text())  # type: ignore[misc]
        pid = keeper.pid("other")
        code = keeper.stop("one", grace_s=0.2)

    assert code == -signal.SIGKILL
    assert pid is not None
    assert identity(pid) is None


def test_a_fork_that_holds_the_pipe_does_not_keep_the_processes_alive(home: Path) -> None:
    """Tests and process pools fork; the pipe's end alone would then not tell of our death."""
    parent = subprocess.Popen(
        [sys.executable, "-c", FORKS, str(home)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    keeper, kept, fork = map(int, parent.stdout.readline().split())

    parent.kill()
    parent.wait()

    wait_until(lambda: identity(keeper) is None)
    assert identity(kept) is None
    assert identity(fork) is not None
    os.kill(fork, signal.SIGKILL)
    parent.stdout.close()


def test_a_fork_cannot_end_what_its_parent_started(home: Path) -> None:
    """It inherits the context manager, and may leave it by an exception."""
    with Keeper(home) as keeper:
        pid = keeper.start("sleep", SLEEP)
        fork = os.fork()
        if fork == 0:
            keeper.close()
            os._exit(0)
        os.waitpid(fork, 0)

        assert keeper.pid("sleep") == pid


def test_leftovers_are_stopped_and_strangers_with_their_ids_spared(home: Path) -> None:
    """Without Linux's death signal a killed keeper leaves its processes; ids come again."""
    home.mkdir()
    with subprocess.Popen(SLEEP) as leftover, subprocess.Popen(SLEEP) as stranger:
        entries = [
            {"name": "a", "pid": leftover.pid, "identity": identity(leftover.pid)},
            {"name": "b", "pid": stranger.pid, "identity": "of another boot/1"},
        ]
        record = json.dumps([{**entry, "signal": signal.SIGTERM} for entry in entries])
        (home / "processes.json").write_text(record)

        with Keeper(home):
            assert leftover.poll() == -signal.SIGTERM
            assert stranger.poll() is None
        stranger.kill()


def test_a_name_is_started_once(home: Path) -> None:
    """Two of a name could not be told apart when one is to be stopped."""
    with Keeper(home) as keeper:
        keeper.start("sleep", SLEEP)

        with pytest.raises(EmbeddedError, match="is running already"):
            keeper.start("sleep", SLEEP)


def test_what_cannot_be_started_is_an_error_that_names_it(home: Path) -> None:
    """The keeper itself goes on: one missing program should not end the others."""
    with Keeper(home) as keeper:
        with pytest.raises(EmbeddedError, match=r"FileNotFoundError.*no-such-program"):
            keeper.start("missing", ["/no-such-program"])

        assert keeper.start("sleep", SLEEP) == keeper.pid("sleep")
