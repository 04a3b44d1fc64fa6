"""The folder that embedded servers live in: what is chosen once and kept over restarts."""

import logging
import os
import random
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from coordinator.embedded.errors import EmbeddedError

_log = logging.getLogger(__name__)

_FIRST_PORT: Final = 20_000
_LAST_PORT: Final = 32_000
"""Below the ports that Linux (32768) and macOS (49152) give to outgoing connections."""
_PORT_PATIENCE_S: Final = 3.0


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets of one home: random, made once."""

    database_password: str
    redis_password: str
    access_key: str
    secret_key: str


def credentials(home: Path) -> Credentials:
    """Read the home's secrets, or make and keep them."""
    path = home / "credentials.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    made = Credentials(
        database_password=secrets.token_hex(16),
        redis_password=secrets.token_hex(16),
        access_key=f"LOCAL{secrets.token_hex(8).upper()}",
        secret_key=secrets.token_hex(20),
    )
    write_private(path, msgspec.json.format(msgspec.json.encode(made)))
    return made


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ports(
    home: Path, names: Sequence[str], *, is_usable: Callable[[int], bool] = is_free
) -> dict[str, int]:
    """Return the home's port for each name; they stay the same over restarts.

    A kept port that a foreign process has taken is replaced, with a warning that says so.
    ``is_usable`` may know of more that makes a port unfit than a listener.
    """
    path = home / "ports.json"
    kept = msgspec.json.decode(path.read_bytes(), type=dict[str, int]) if path.exists() else {}
    chosen: dict[str, int] = {}
    for name in names:
        if name not in kept:
            chosen[name] = _free_port({*kept.values(), *chosen.values()}, is_usable)
        elif _becomes_free(kept[name], is_usable):
            chosen[name] = kept[name]
        else:
            chosen[name] = _free_port({*kept.values(), *chosen.values()}, is_usable)
            _log.warning(
                "Port %d, which %s had in %s, is taken by another process; it now has port %d.",
                kept[name],
                name,
                home,
                chosen[name],
            )
    if chosen != kept:
        write_private(path, msgspec.json.format(msgspec.json.encode(chosen)))
    return chosen


def write_private(path: Path, text: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _free_port(taken: set[int], is_usable: Callable[[int], bool]) -> int:
    candidates = range(_FIRST_PORT, _LAST_PORT)
    for port in random.sample(candidates, k=200):
        if port not in taken and is_usable(port):
            return port
    raise EmbeddedError(f"No free port found between {_FIRST_PORT} and {_LAST_PORT}.")


def _becomes_free(port: int, is_usable: Callable[[int], bool]) -> bool:
    deadline = time.monotonic() + _PORT_PATIENCE_S
    while not (found := is_usable(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
