"""Real clients that upload all the time, and what must be true of their uploads at the end."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from tests.builders import SMALLEST
from tests.faults.installation import Installation

_CLIENTS: Final = 3
_SIZES: Final = (900, SMALLEST + 900, 12)

_FOUND: Final = """
SELECT u.file_name, u.phase, array_agg(j.kind || ' ' || j.state) AS jobs
  FROM uploads AS u LEFT JOIN jobs AS j ON j.upload_id = u.id
 GROUP BY u.id ORDER BY u.file_name
"""
_DONE: Final = ["generate_metadata succeeded"]


class Load:
    """Clients that upload one new file after the other; the last ones are finished."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self._installation = installation
        self._folder = folder
        self._enough = threading.Event()
        self._lock = threading.Lock()
        self.completed: list[str] = []

    def run(self, name: str) -> None:
        """Upload until it is enough."""
        with self._installation.client() as client:
            for number in range(10_000):
                if self._enough.is_set():
                    return
                path = self._folder / f"{name}-{number}.bin"
                path.write_bytes(os.urandom(_SIZES[number % len(_SIZES)]))
                client.upload(path, file_name=path.name)
                with self._lock:
                    self.completed.append(path.name)

    def stop(self) -> None:
        """Let every client finish what it has begun, and begin nothing more."""
        self._enough.set()


@contextmanager
def loaded(installation: Installation, folder: Path) -> Iterator[Load]:
    """Run the clients until the block ends, and then until they have finished; none may fail."""
    load = Load(installation, folder)
    with ThreadPoolExecutor(_CLIENTS) as threads:
        clients: list[Future[None]] = [
            threads.submit(load.run, f"client{number}") for number in range(_CLIENTS)
        ]
        try:
            yield load
        finally:
            load.stop()
        for client in clients:
            client.result(timeout=100)


def found(installation: Installation) -> list[dict[str, Any]]:
    """Read every upload that there is, with its jobs."""
    with psycopg.connect(installation.database_url, row_factory=dict_row) as conn:
        return conn.execute(_FOUND).fetchall()


def as_promised(installation: Installation, names: list[str]) -> bool:
    """Say whether each of the files was completed once, and has each of its jobs once, done.

    Uploads that nobody was told of may be left open: their answer was lost on the way.
    """
    rows = found(installation)
    completed = [row["file_name"] for row in rows if row["phase"] == "COMPLETED"]
    jobs = [row["jobs"] for row in rows if row["phase"] == "COMPLETED"]
    return sorted(completed) == sorted(names) and all(each == _DONE for each in jobs)
