"""A whole installation that a test may break: own servers, services and workers as processes.

Everything in it can be stopped, killed, frozen and started again where it was, one by one.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coordinator.embedded import Servers, running
from coordinator.sdk import Client
from tests.sdk.installation import end, free_port, prepared, start, until_ready

_DATABASE: Final = "installed"


class Program:
    """A service or a worker. It starts where it was: a service keeps its port, all their log."""

    def __init__(self, command: str, environ: dict[str, str], log: Path, *, url: str = "") -> None:
        self.log = log
        self.url = url
        self._command = command
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; it must run."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended, by itself or otherwise."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; a service answers when this returns."""
        self._process = start(self._environ, self.log, self._command)
        if self.url:
            until_ready(self.url, self._process, self.log)

    def stop(self, *, patience_s: float = 20.0) -> int:
        """Send SIGTERM and return its exit code; negative if it had to be killed."""
        assert self._process is not None, "not started"
        return end(self._process, patience_s=patience_s)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None, "not started"
        self._process.kill()
        self._process.wait()


class Installation:
    """Servers, and the programs of ours on them; one service and one worker to begin with."""

    def __init__(self, servers: Servers, folder: Path, changes: Mapping[str, str]) -> None:
        self.servers = servers
        environ, self.key = prepared(servers.addresses, database=_DATABASE)
        self.environ = {**environ, **changes}
        self._folder = folder
        self._programs: list[Program] = []
        self.service = self._service()
        self.worker = self._program("work", self.environ)

    def start(self) -> None:
        """Start the first service and the first worker."""
        self.service.start()
        self.worker.start()

    @property
    def url(self) -> str:
        """The first service's address."""
        return self.service.url

    @property
    def database_url(self) -> str:
        """The database of the programs, for looking into it."""
        return self.environ["COORDINATOR_DATABASE_URL"]

    def client(self) -> Client:
        """Open a real client of the first service."""
        return Client(self.url, self.key)

    def one_more_service(self, **changes: str) -> Program:
        """Start one more service, with other settings where told."""
        service = self._service(**changes)
        service.start()
        return service

    def one_more_worker(self, **changes: str) -> Program:
        """Start one more worker, with other settings where told."""
        worker = self._program("work", {**self.environ, **changes})
        worker.start()
        return worker

    def _service(self, **changes: str) -> Program:
        port = free_port()
        environ = {**self.environ, **changes, "COORDINATOR_PORT": str(port)}
        return self._program("serve", environ, url=f"http://127.0.0.1:{port}")

    def _program(self, command: str, environ: dict[str, str], *, url: str = "") -> Program:
        log = self._folder / f"{command}-{len(self._programs)}.log"
        program = Program(command, environ, log, url=url)
        self._programs.append(program)
        return program

    def end(self) -> None:
        """End all programs; the servers end with their own block."""
        for program in reversed(self._programs):
            if program.is_running:
                program.stop()


@contextmanager
def breakable_servers() -> Iterator[Servers]:
    """Run servers that nobody else uses, in a folder that Postgres's user may reach."""
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with running(folder / "home") as servers:
            yield servers
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def breakable_installation(folder: Path, **changes: str) -> Iterator[Installation]:
    """Run servers, a service and a worker; ``folder`` gets their logs, ``changes`` are settings."""
    with breakable_servers() as servers:
        installation = Installation(servers, folder, changes)
        try:
            installation.start()
            yield installation
        finally:
            installation.end()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process and all its children as a machine that hangs would; connections stay open."""
    family = family_of(pid)
    for each in family:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        thaw(pid)


def thaw(pid: int) -> None:
    """Let a frozen process and its children go on."""
    for each in reversed(family_of(pid)):
        os.kill(each, signal.SIGCONT)


def family_of(pid: int) -> list[int]:
    """Return the process and its descendants, parents first."""
    family = [pid]
    for member in family:
        family += [child for child, parent in _parents().items() if parent == member]
    return family


def _parents() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        parents[int(folder.name)] = int(status.rpartition(")")[2].split()[1])
    return parents
