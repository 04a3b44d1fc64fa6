"""What a second process brings: a local file of JSON lines, scanned by one process and by two.

The file is on this machine, so that the network is no part of it. Both pools have started before.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from coordinator.domain import pii_kinds
from coordinator.jobs.executors import mapped, open_executor
from coordinator.jobs.pii_finding import finder
from coordinator.jobs.pii_rows import judged_line
from tests.benchmarks.measuring import Row, ratio

_ROWS: Final = 150_000
_HIT_EVERY: Final = 10
_PIECE_BYTES: Final = 512 * 1024
_ROUNDS: Final = 5
_BAR: Final = 1.5

_KINDS: Final = (pii_kinds.EMAIL, pii_kinds.IBAN, pii_kinds.CARD, pii_kinds.IP)


class Range(msgspec.Struct, frozen=True):
    """Some bytes of a local file. Lines belong to the range that they begin in."""

    path: str
    start: int
    end: int


class Counts(msgspec.Struct, frozen=True):
    """What was found in a range."""

    rows: int
    hits: int


def scanned(piece: Range) -> Counts:
    """Scan the lines that begin in a range for personal data."""
    look = finder(_KINDS)
    rows = hits = 0
    for line in _lines(piece):
        hits += len(judged_line(look, rows, line.rstrip(b"\n"), "jsonl").hits)
        rows += 1
    return Counts(rows, hits)


def measure() -> list[Row]:
    """Return the row for two processes."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(b"".join(map(_line, range(_ROWS))))
        edges = [*range(0, path.stat().st_size, _PIECE_BYTES), path.stat().st_size]
        pieces = [Range(str(path), start, end) for start, end in pairwise(edges)]
        one, two = (opened.enter_context(open_executor(count, None)) for count in (1, 2))
        for executor in (one, two):
            _run(executor, pieces)
        gained = ratio(lambda: _run(one, pieces), lambda: _run(two, pieces), rounds=_ROUNDS)
    return [Row("two processes: speed / of one", gained, at_least=_BAR)]


def _run(executor: Executor, pieces: list[Range]) -> None:
    found = list(
        mapped(
            executor,
            scanned,
            pieces,
            kept={},
            on_result=lambda *_: None,
            is_stopped=lambda: False,
            keep=True,
            ahead=4,
        )
    )
    assert sum(each.rows for each in found) == _ROWS
    assert sum(each.hits for each in found) == _ROWS // _HIT_EVERY


def _lines(piece: Range) -> Iterator[bytes]:
    with Path(piece.path).open("rb") as file:
        if piece.start:
            file.seek(piece.start - 1)
            file.readline()  # the end of a line that begins before
        while file.tell() < piece.end and (line := file.readline()):
            yield line


def _line(number: int) -> bytes:
    who = b"somebody%d@mail.example.com" % number if number % _HIT_EVERY == 0 else b"somebody"
    text = b"the quick brown fox jumps over the lazy dog of " + who
    return b'{"id": "n-%d", "text": "%s", "label": "good"}\n' % (number, text)
