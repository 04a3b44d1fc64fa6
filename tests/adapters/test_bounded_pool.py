"""What is bounded of a connection to Postgres, beside the waiting that the fault tests show."""

import gc
import socket
from pathlib import Path

import psycopg
import pytest

from coordinator.adapters.bounded_pool import BoundedConnection


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_an_attempt_that_times_out_leaves_no_socket() -> None:
    """A frozen Postgres takes connections and is silent; a pool tries again and again."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        dsn = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d?connect_timeout=1"
        gc.collect()
        gc.disable()
        try:
            before = _open_files()
            for _ in range(2):
                with pytest.raises(psycopg.OperationalError, match="timeout"):
                    await BoundedConnection.connect(dsn)
            after = _open_files()
        finally:
            gc.enable()

    assert after == before
