"""``generate_metadata`` over rows of some 100 bytes, out of a real S3 server, in one process.

Here a speed is promised, and not only a ratio: rows by the second of processor time, so that what
else the machine does counts less. All is measured: types, minima, distinct values, quartiles.
"""

from statistics import median
from time import process_time
from typing import Final

import zstandard

from coordinator.jobs.generate_metadata import generate_metadata
from coordinator.jobs.object_reader import ObjectSource
from tests.benchmarks.measuring import Row
from tests.benchmarks.stored import stored

_ROWS: Final = 400_000
_ROUNDS: Final = 3
_BAR: Final = 200_000


def measure() -> list[Row]:
    """Return a row for each format."""
    json_lines = b"".join(map(_json_line, range(_ROWS)))
    bodies = {
        "rows.jsonl": json_lines,
        "rows.csv": b"id,text,label,score\n" + b"".join(map(_csv_line, range(_ROWS))),
        "rows.jsonl.zst": zstandard.compress(json_lines),
        "rows.txt": b"".join(map(_text_line, range(_ROWS))),
    }
    with stored(*bodies.values()) as sources:
        return [
            Row(f"generate_metadata: rows/s of {name}", _per_second(source, name), at_least=_BAR)
            for name, source in zip(bodies, sources, strict=True)
        ]


def _per_second(source: ObjectSource, name: str) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        start = process_time()
        found = generate_metadata(source, file_name=name, file_type="")
        seconds.append(process_time() - start)
        assert (found["status"], found["rows"]) == ("analyzed", _ROWS)
    return _ROWS / median(seconds)


def _words(number: int) -> bytes:
    return b"the quick brown fox %d jumps over the lazy dog" % (number * 7919 % 10_007)


def _json_line(number: int) -> bytes:
    return b'{"id": %d, "text": "%s", "label": "good", "score": %g}\n' % (
        number, _words(number), number % 100 / 100,
    )  # fmt: skip


def _csv_line(number: int) -> bytes:
    return b"%d,%s,good,%g\n" % (number, _words(number), number % 100 / 100)


def _text_line(number: int) -> bytes:
    return b"%d %s and %s\n" % (number, _words(number), _words(number + 1))
