"""Programs of ours that start at once: forked from a process that has imported everything.

They are what ``coordinator serve`` and ``coordinator work`` are, signals and exit codes included,
but for the seconds of importing, which twenty restarts on a small machine cannot afford.
"""

import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

_WARM: Final = multiprocessing.get_context("forkserver")
_WARM.set_forkserver_preload(["pytest", "coordinator.cli.server", "tests.faults.warm"])


def _run(command: str, environ: dict[str, str], log: Path) -> None:
    """Be the program, in the forked process."""
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ.clear()
    os.environ.update(environ)
    from coordinator.cli import main  # noqa: PLC0415 - in the fork, not in pytest

    main([command], prog_name="coordinator")


class WarmProgram:
    """A service or a worker that can be started, told to stop, and started again."""

    def __init__(self, command: str, environ: dict[str, str], log: Path) -> None:
        self.log = log
        self._command = command
        self._environ = environ
        self._process: BaseProcess | None = None

    def start(self) -> None:
        """Start it; it has not begun to answer when this returns."""
        self._process = _WARM.Process(target=_run, args=(self._command, self._environ, self.log))
        self._process.start()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None, "not started"
        assert self._process.pid is not None, "not started"
        os.kill(self._process.pid, number)

    def wait(self, patience_s: float = 60.0) -> int | None:
        """Wait until it has ended, and return its exit code; ``None``: it still runs."""
        assert self._process is not None, "not started"
        self._process.join(patience_s)
        return self._process.exitcode

    def stop(self, patience_s: float = 60.0) -> int | None:
        """Send SIGTERM and return the exit code."""
        self.tell(signal.SIGTERM)
        return self.wait(patience_s)

    def kill(self) -> None:
        """End it if it still runs."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()
