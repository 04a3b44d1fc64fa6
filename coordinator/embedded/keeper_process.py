"""The keeper: a small process that owns servers and ends them once its parent is gone.

It is run by its path (``python -I keeper_process.py RECORD``) and imports the standard library
only, so that it starts fast and cannot fail for a reason that lies in the rest of the program.

Standard input is a pipe whose write end only the parent holds. Requests come as lines of JSON,
each is answered at once by one line on standard output:

    {"do": "start", "name", "argv", "env", "cwd", "log", "signal", "grace_s", "group",
     "account", "debris"}
                                           -> {"pid": 1}
    {"do": "signal", "name", "signal"}     -> {}
    {"do": "status"}                       -> {"name": {"pid": 1, "code": null}, ...}
    {"do": "probe", "account", "paths"}    -> {"answer": "ok" | "denied" | "unreachable"}
    {"do": "end"}                          -> no answer: everything is stopped and the keeper exits

End of file, a changed parent (it was killed while a fork of it still holds the pipe) and SIGTERM
mean the same as ``end``: groups are stopped from the highest number to the lowest, within a group
all at once, each by its own signal and after ``grace_s`` by SIGKILL to its process group.

Should the keeper itself be killed, Linux sends every child its stop signal (PR_SET_PDEATHSIG);
elsewhere, and for what does not end then, RECORD names each process so exactly that the next start
can stop it.
"""

import ctypes
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_TICK_S = 0.25


def identity(pid: int) -> str | None:
    """Tell a process from a later one with the same id; None when it has ended."""
    if not sys.platform.startswith("linux"):
        seen = subprocess.run(  # noqa: S603 - a fixed program, a number
            ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        return None if not seen or seen.startswith("Z") else seen.partition(" ")[2].strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def become(account: Any) -> None:
    """Give up root in this process: "namespace", or [uid, gid]; None changes nothing."""
    if account is None:
        return
    if account != "namespace":
        uid, gid = account
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        return
    uid, gid = os.geteuid(), os.getegid()
    # PostgreSQL wants a user that is not root and has a name.
    inner = min(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inner} {uid} 1"),
        ("gid_map", f"{inner} {gid} 1"),
    ):
        Path("/proc/self", file).write_text(text, encoding="ascii")


def _before_exec(account: Any, stop_signal: int) -> Callable[[], None]:
    def prepare() -> None:
        become(account)
        # After become(): a change of credentials clears the setting.
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, stop_signal)

    return prepare


class _Child:
    """One started process and what stopping it needs."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.name: str = request["name"]
        self.group: int = request["group"]
        self.stop_signal: int = request["signal"]
        self._grace_s: float = request["grace_s"]
        self._debris: list[str] = request["debris"]
        self._deadline: float | None = None
        self._is_cleared = False
        with Path(request["log"]).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - argv comes from our own parent
                request["argv"],
                env=request["env"],
                cwd=request["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_before_exec(request["account"], self.stop_signal),  # noqa: PLW1509 - no threads here
            )
        self.pid = self._process.pid
        self.identity = identity(self.pid)

    def code(self) -> int | None:
        """Reap the process if it has ended, and clear away what it leaves behind."""
        code = self._process.poll()
        if code is not None and not self._is_cleared:
            self._is_cleared = True
            self._kill_group()
            for path in self._debris:
                _remove(path)
        return code

    def send(self, number: int) -> None:
        if self.code() is None:
            self._process.send_signal(number)

    def begin_stop(self) -> None:
        self.send(self.stop_signal)
        self._deadline = time.monotonic() + self._grace_s

    def has_ended(self) -> bool:
        """Tell whether a stop that was begun is over; use force once its grace is."""
        if self.code() is not None:
            return True
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._kill_group()
        return False

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def _remove(path: str) -> None:
    try:
        Path(path).unlink()
    except OSError:
        return


class _Keeper:
    def __init__(self, record: Path) -> None:
        self._record = record
        self._children: dict[str, _Child] = {}
        self._ending = False
        self._answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "start": self._start,
            "signal": self._signal,
            "status": self._status,
            "probe": self._probe,
        }

    def run(self) -> None:
        """Answer requests until there is nobody left to send any, then stop everything."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        parent = os.getppid()
        received = b""
        while not self._ending and os.getppid() == parent:
            readable, _, _ = select.select([0], [], [], _TICK_S)
            for child in self._children.values():
                child.code()
            if not readable:
                continue
            data = os.read(0, 1 << 16)
            if not data:
                break
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                self._answer(json.loads(line))
        self._stop_all()

    def _end(self, *_: object) -> None:
        self._ending = True

    def _answer(self, request: dict[str, Any]) -> None:
        if request["do"] == "end":
            self._ending = True
            return
        try:
            answer = self._answers[request["do"]](request)
        except (OSError, subprocess.SubprocessError, KeyError) as exc:
            answer = {"error": f"{type(exc).__name__}: {exc}"}
        try:
            os.write(1, json.dumps(answer).encode() + b"\n")
        except BrokenPipeError:
            self._ending = True

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        before = self._children.get(request["name"])
        if before is not None and before.code() is None:
            return {"error": f"{request['name']} is running already, as process {before.pid}"}
        child = self._children[request["name"]] = _Child(request)
        running = [c for c in self._children.values() if c.code() is None]
        record = [
            {"name": c.name, "pid": c.pid, "identity": c.identity, "signal": c.stop_signal}
            for c in running
        ]
        fresh = self._record.with_suffix(".new")
        fresh.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        fresh.replace(self._record)
        return {"pid": child.pid}

    def _signal(self, request: dict[str, Any]) -> dict[str, Any]:
        self._children[request["name"]].send(request["signal"])
        return {}

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        return {c.name: {"pid": c.pid, "code": c.code()} for c in self._children.values()}

    def _probe(self, request: dict[str, Any]) -> dict[str, Any]:
        pid = os.fork()
        if pid == 0:
            _probe_and_exit(request["account"], request["paths"])
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return {"answer": {0: "ok", 2: "unreachable"}.get(code, "denied")}

    def _stop_all(self) -> None:
        for group in sorted({c.group for c in self._children.values()}, reverse=True):
            members = [c for c in self._children.values() if c.group == group]
            for child in members:
                child.begin_stop()
            while members:
                members = [child for child in members if not child.has_ended()]
                time.sleep(0.02)
        _remove(str(self._record))


def _probe_and_exit(account: Any, paths: list[str]) -> NoReturn:
    try:
        become(account)
        os._exit(0 if all(os.access(path, os.R_OK | os.X_OK) for path in paths) else 2)
    finally:
        os._exit(1)


if __name__ == "__main__":
    _Keeper(Path(sys.argv[1])).run()
