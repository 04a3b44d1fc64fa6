"""A Dask cluster as an operator would run one: a scheduler and workers, each a process."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

_PATIENCE: Final = 30.0


class DaskProcesses:
    """A scheduler on a free loopback port, and the workers that are started for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        file = folder / "scheduler.json"
        self.scheduler = self._run(
            "scheduler",
            ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"],
            ["--no-dashboard", "--no-jupyter", "--scheduler-file", str(file)],
        )
        self.address = self._address(file)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker with one thread, in one process: no nanny brings it back."""
        name = f"worker-{len(self.workers)}"
        worker = self._run(
            name,
            ["-m", "dask", "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1"],
            ["--no-nanny", "--no-dashboard", "--local-directory", str(self._folder / name)],
        )
        self.workers.append(worker)
        return worker

    @property
    def logs(self) -> str:
        """What scheduler and workers wrote."""
        return "".join(each.read_text() for each in sorted(self._folder.glob("*.log")))

    def end(self) -> None:
        """End every process that was started here."""
        for process in (*self.workers, self.scheduler):
            process.kill()
        for process in (*self.workers, self.scheduler):
            process.wait()

    def _run(self, name: str, *arguments: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, *(each for some in arguments for each in some)],
                stdout=log,
                stderr=log,
                # Nothing of the tests' own settings; the code is found from the project's root.
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "PYTHONPATH": "."},
            )

    def _address(self, file: Path) -> str:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                return str(json.loads(file.read_text())["address"])
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.05)
        self.scheduler.kill()
        raise AssertionError(f"no scheduler: {self.logs}")
