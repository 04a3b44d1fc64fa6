"""One holder a folder, by flock, which ends with its last process: it is never stale."""

import fcntl
import json
import os
import time
from pathlib import Path

from coordinator.embedded.errors import EmbeddedError
from coordinator.embedded.keeper_process import identity

_PATIENCE_S = 60.0


def take(folder: Path) -> int:
    """Lock the folder for this process and return the descriptor that holds the lock.

    Where the last holder was killed and its keeper is still stopping servers, this waits.

    Raises:
        EmbeddedError: A living process holds the lock, or the last holder's servers do not end.
    """
    path = folder / "lock"
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _PATIENCE_S
    while not _is_taken(held):
        owner = _living_owner(path)
        if owner is not None or time.monotonic() > deadline:
            os.close(held)
            raise EmbeddedError(_refusal(folder, owner))
        time.sleep(0.05)
    me = {"pid": os.getpid(), "identity": identity(os.getpid())}
    os.ftruncate(held, 0)
    os.pwrite(held, json.dumps(me).encode(), 0)
    return held


def _is_taken(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _living_owner(path: Path) -> int | None:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # its new holder is just writing it
        return None
    return int(owner["pid"]) if identity(owner["pid"]) == owner["identity"] else None


def _refusal(folder: Path, owner: int | None) -> str:
    if owner is None:
        return (
            f"The servers in {folder} were left by a process that was killed, and do not end. "
            f"Their process ids are in {folder / 'processes.json'}."
        )
    return (
        f"{folder} is in use by process {owner}, which runs the servers in it. "
        f"Stop that process, or set COORDINATOR_HOME to another folder."
    )
