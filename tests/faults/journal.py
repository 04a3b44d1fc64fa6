"""The file that all processes of a run append to: what is written survives kill -9."""

import os
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.evidence import Line


class Journal:
    """Appends lines, each in one write, so that a killed process leaves whole lines only."""

    def __init__(self, path: Path, stage: int) -> None:
        self._path = path
        self._stage = stage
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, **fields: Any) -> None:
        """Append a line, stamped with the time and this process's number."""
        line = Line(at=time.time(), stage=self._stage, **fields)
        os.write(self._file, msgspec.json.encode(line) + b"\n")

    def lines(self) -> list[Line]:
        """Read what this process and those before it have written."""
        return read(self._path)


def read(path: Path) -> list[Line]:
    """Read a run's file."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()]
