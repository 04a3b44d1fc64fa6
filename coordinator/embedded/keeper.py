"""Processes that end with us, however we end: by return, by a signal, by kill -9.

A `Keeper` is this process's side of the pipe to ``keeper_process.py``, which owns the processes.
What it starts runs in sessions of its own, so Ctrl-C in a terminal reaches only us, and we decide
what ends when.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

from coordinator.embedded import keeper_process, lock
from coordinator.embedded.errors import EmbeddedError
from coordinator.embedded.keeper_process import identity

Account = Literal["namespace"] | tuple[int, int] | None
"""Who a process runs as: we (None), nobody special in a namespace of its own, or a (uid, gid)."""

_LEFTOVER_PATIENCE_S = 10.0
_LOG_LIMIT_BYTES = 8 << 20


class Keeper:
    """The processes of one folder.

    Opening it locks the folder and first stops what an earlier keeper, killed together with its
    parent, may have left behind. A context manager; closing it stops everything it started, in
    order (see `start`).

    Raises:
        EmbeddedError: When opened: another living process has the folder open.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        record = self.home / "processes.json"
        try:
            (self.home / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
            held = lock.take(self.home)
        except PermissionError as exc:
            raise EmbeddedError(
                f"{self.home} cannot be used by this user ({exc.strerror}: {exc.filename}). "
                "Set COORDINATOR_HOME to a folder of yours."
            ) from exc
        try:
            stop_leftovers(record)
            with self.log_path("keeper").open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-I", keeper_process.__file__, str(record)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    pass_fds=(held,),
                    start_new_session=True,
                )
        finally:
            # Only the keeper process keeps the lock: until all that it started has ended.
            os.close(held)
        self._owner = os.getpid()
        self._one_request = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def keeper_pid(self) -> int:
        """The process id of the keeper itself."""
        return self._process.pid

    def log_path(self, name: str) -> Path:
        """Where the process of that name writes its output."""
        return self.home / "logs" / f"{name}.log"

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_s: float = 10.0,
        group: int = 0,
        account: Account = None,
        debris: Sequence[Path] = (),
    ) -> int:
        """Start a process under this name and return its process id.

        Its output goes to ``logs/NAME.log``. At the end the groups stop from the highest number to
        the lowest: what uses the servers (group 0) belongs into group 1. ``debris`` is deleted when
        the process has ended.

        Raises:
            EmbeddedError: It cannot be started, or one of that name runs already.
        """
        log = self.log_path(name)
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        answer = self._ask(
            do="start",
            name=name,
            argv=[str(word) for word in argv],
            env=dict(os.environ if env is None else env),
            cwd=str(cwd or Path.cwd()),
            log=str(log),
            signal=int(stop_signal),
            grace_s=grace_s,
            group=group,
            account=account,
            debris=[str(path) for path in debris],
        )
        return int(answer["pid"])

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process; nothing happens where it has ended."""
        self._ask(do="signal", name=name, signal=int(number))

    def stop(
        self, name: str, *, stop_signal: signal.Signals = signal.SIGTERM, grace_s: float = 10.0
    ) -> int:
        """Stop the process, by force after the grace, and return its exit code."""
        for number, patience_s in ((stop_signal, grace_s), (signal.SIGKILL, grace_s)):
            self.send(name, number)
            code = self.wait(name, patience_s)
            if code is not None:
                return code
        raise EmbeddedError(f"{name} cannot be stopped, not even by SIGKILL.")

    def wait(self, name: str, patience_s: float) -> int | None:
        """Wait for the process to end and return its exit code, or None if it still runs."""
        deadline = time.monotonic() + patience_s
        while (code := self.exit_code(name)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return code

    def exit_code(self, name: str) -> int | None:
        """Return how it ended (negative: the signal's number), or None while it runs."""
        code = self._ask(do="status")[name]["code"]
        return None if code is None else int(code)

    def pid(self, name: str) -> int | None:
        """Return the id of the running process of that name."""
        seen = self._ask(do="status").get(name)
        return seen["pid"] if seen is not None and seen["code"] is None else None

    def probe(self, account: Account, *paths: Path) -> str:
        """Tell whether a process may become ``account`` and then enter these paths.

        Returns "ok", "unreachable" (it may, but a path is closed to it) or "denied".
        """
        answer = self._ask(do="probe", account=account, paths=[str(path) for path in paths])
        return str(answer["answer"])

    def close(self) -> None:
        """Stop everything and wait for the end; do nothing in a fork of the opener."""
        if os.getpid() != self._owner or self._process.returncode is not None:
            return
        stdin, stdout = self._pipes()
        try:
            with self._one_request:
                # A fork of ours may hold the pipe, so closing it need not be the end of it.
                stdin.write(b'{"do": "end"}\n')
                stdin.close()
        except BrokenPipeError:
            pass  # it has ended already, or is about to
        finally:
            self._process.wait()
            stdout.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        stdin, stdout = self._pipes()
        try:
            with self._one_request:
                stdin.write(json.dumps(request).encode() + b"\n")
                stdin.flush()
                line = stdout.readline()
        except (BrokenPipeError, ValueError):
            line = b""
        if not line:
            raise EmbeddedError(f"The keeper of {self.home} has ended.")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EmbeddedError(f"{request['do']} {request.get('name', '')}: {answer['error']}")
        return answer

    def _pipes(self) -> tuple[Any, Any]:
        return self._process.stdin, self._process.stdout


def stop_leftovers(record: Path) -> None:
    """Stop the processes that ``record`` names, where they are still the same ones."""
    try:
        entries = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    living = [e for e in entries if e["identity"] is not None]
    for patience_s, force in ((_LEFTOVER_PATIENCE_S, False), (_LEFTOVER_PATIENCE_S, True)):
        deadline = time.monotonic() + patience_s
        living = [e for e in living if identity(e["pid"]) == e["identity"]]
        for entry in living:
            with suppress(ProcessLookupError):
                os.kill(entry["pid"], signal.SIGKILL if force else entry["signal"])
        while living and time.monotonic() < deadline:
            living = [e for e in living if identity(e["pid"]) == e["identity"]]
            time.sleep(0.02)
    if living:
        raise EmbeddedError(f"Processes of an earlier run do not end: {living}")
    record.unlink()
