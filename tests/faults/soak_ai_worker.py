"""A worker that starts at once and finds sooner what a dead one has left."""

import os
from pathlib import Path
from typing import Final

from typing_extensions import override

from tests.faults.warm import _WARM, WarmProgram

# Workers say every 10 s that they live: who has not for longer is dead. Usually it takes 30 s.
_HEARTBEAT_SECONDS: Final = 12.0


def _run(environ: dict[str, str], log: Path) -> None:
    """Be a worker, in the forked process."""
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ.clear()
    os.environ.update(environ)
    from coordinator.cli import main  # noqa: PLC0415 - in the fork, not in pytest
    from coordinator.worker import run  # noqa: PLC0415 - as well

    run._HEARTBEAT_SECONDS = _HEARTBEAT_SECONDS  # type: ignore[misc] # this is why it is here
    main(["work"], prog_name="coordinator")


class QuickWorker(WarmProgram):
    """``coordinator work`` that is rescued within some 20 s."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        super().__init__("work", environ, log)

    @override
    def start(self) -> None:
        self._process = _WARM.Process(target=_run, args=(self._environ, self.log))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        assert self._process is not None, "not started"
        assert self._process.pid is not None, "not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, by itself or otherwise."""
        return self._process is not None and self._process.is_alive()
