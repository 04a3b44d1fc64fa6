"""Whatever ends the parent, its servers end too, and the next start works."""

import os
import signal
from pathlib import Path

from tests.embedded.starting import (
    Parent,
    leftover_sockets,
    read_everywhere,
    wait_until,
    write_everywhere,
)


def test_a_signal_to_the_parent_leaves_nothing_behind(home: Path) -> None:
    """No process, socket or lock; kill -9 gives the parent no chance to clear up itself."""
    parent = Parent(home)
    write_everywhere(parent.addresses, "kept")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        parent.process.send_signal(number)
        parent.end()
        assert leftover_sockets(home) == []
        before = parent.addresses
        parent = Parent(home)
        assert parent.addresses == before
        assert read_everywhere(parent.addresses, "kept") == (True, True, True)

    # The keeper needs a moment to stop them; the impatient should not be punished.
    parent.process.kill()
    impatient = Parent(home)
    assert parent.survivors() == []
    parent.end()
    impatient.process.terminate()
    impatient.end()


def test_kill_9_of_the_keeper_too_does_not_stop_the_next_start(home: Path) -> None:
    """What outlives its keeper is found by its recorded identity and stopped first."""
    first = Parent(home)
    write_everywhere(first.addresses, "kept")
    keeper = first.servers[0]

    # The parent first, so that it cannot tell the keeper to stop.
    os.kill(first.process.pid, signal.SIGSTOP)
    os.kill(keeper, signal.SIGKILL)
    first.process.kill()
    second = Parent(home)

    first.end()
    assert read_everywhere(second.addresses, "kept") == (True, True, True)
    second.process.terminate()
    second.end()


def test_kill_9_of_everything_at_once_does_not_stop_the_next_start(home: Path) -> None:
    """As after a crash of the machine: pid files, sockets and an unclean database are left."""
    first = Parent(home)
    write_everywhere(first.addresses, "kept")

    for pid in (first.process.pid, *first.servers):
        os.kill(pid, signal.SIGKILL)
    first.end()
    second = Parent(home)

    assert read_everywhere(second.addresses, "kept") == (True, True, True)
    second.process.terminate()
    second.end()


def test_a_database_pid_file_that_names_a_stranger_is_ignored(home: Path) -> None:
    """Process ids come again, after a reboot above all; Postgres would refuse to start."""
    first = Parent(home)
    for pid in (first.process.pid, *first.servers):
        os.kill(pid, signal.SIGKILL)
    first.end()
    file = home / "postgres" / "postmaster.pid"
    _, rest = file.read_text().split("\n", 1)
    file.write_text(f"{os.getpid()}\n{rest}")

    second = Parent(home)

    second.process.terminate()
    second.end()
    wait_until(lambda: not file.exists())
