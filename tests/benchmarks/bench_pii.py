"""``scan_pii`` on JSON lines of text, beside presidio's recognizers over every string.

Both look for the same kinds in the same lines, each in one thread of this process. Presidio is
given what it needs and no more: recognizers without a language model, and each string once.
"""

import random
import sys
from time import process_time
from typing import Any, Final

import msgspec

from coordinator.domain import pii_kinds
from coordinator.jobs import pii_judges
from coordinator.jobs.pii_finding import Finder
from coordinator.jobs.pii_rows import judged_line
from coordinator.jobs.pii_values import texts
from tests.benchmarks.measuring import Row, ratio
from tests.jobs.innocents import innocent
from tests.jobs.planting import KINDS

_ROUNDS: Final = 5
_LINES: Final = 6_000
_COMPARED: Final = 150  # presidio is slow
_MEGABYTE: Final = 1_000_000
_TEXT: Final = (
    "we have looked into this matter and found that the parcel was sent on time but the address"
    " had changed so please tell your customer that another one is on its way with our thanks"
)


def measure() -> list[Row]:
    """Return the rows for megabytes a second, and for the ratio to presidio alone."""
    lines = made(_LINES)
    few = lines[:_COMPARED]
    kinds = tuple(kind for kind in pii_kinds.KINDS if kind != pii_kinds.NAME)
    look, recognizers = Finder(kinds), alone(kinds)
    ours_of(few, look)
    theirs_of(few[:5], recognizers)
    fast = max(_speed(lines, look) for _ in range(_ROUNDS))
    faster = ratio(lambda: theirs_of(few, recognizers), lambda: ours_of(few, look), rounds=_ROUNDS)
    return [
        Row("PII of JSON lines: MB a second of one core", fast, at_least=5),
        Row("PII of JSON lines: presidio alone / ours", faster, at_least=5),
    ]


def made(count: int) -> list[bytes]:
    """Write rows of text: every tenth has a number in it, every fiftieth something of a person."""
    source, known, lines = random.Random(1), _TEXT.split(), []
    for place in range(count):
        words = [source.choice(known) for _ in range(source.randrange(60, 160))]
        if place % 10 == 0:
            words.insert(source.randrange(len(words)), innocent(source))
        if place % 50 == 0:
            make, word = source.choice(list(KINDS.values()))
            words.insert(source.randrange(len(words)), f"{word} {make(source)}")
        row = {"id": place, "at": f"2024-01-02T03:{place % 60:02}:05Z", "text": " ".join(words)}
        lines.append(msgspec.json.encode({**row, "score": source.random(), "tags": ["a", "b"]}))
    return lines


def alone(kinds: tuple[str, ...]) -> list[Any]:
    """Make presidio's recognizers of these kinds, as they come."""
    from presidio_analyzer import predefined_recognizers as theirs  # noqa: PLC0415

    special = {
        pii_kinds.EMAIL: "EmailRecognizer",
        pii_kinds.PHONE: "PhoneRecognizer",
        pii_kinds.CARD: "CreditCardRecognizer",
        "us_ssn": "UsSsnRecognizer",
        "sg_nric": "SgFinRecognizer",
        "za_id": "ZaIdNumberRecognizer",
    }
    names = {**pii_judges.RECOGNIZERS, **special}
    return [getattr(theirs, names[kind])() for kind in kinds]


def ours_of(lines: list[bytes], look: Finder) -> int:
    """Count findings as the job does."""
    return sum(
        len(hit.findings)
        for number, line in enumerate(lines)
        for hit in judged_line(look, number, line, "jsonl").hits
    )


def theirs_of(lines: list[bytes], recognizers: list[Any]) -> int:
    """Count what presidio finds in each string."""
    return sum(
        len(each.analyze(text, each.supported_entities))
        for line in lines
        for _, text, _ in texts(msgspec.json.decode(line))
        for each in recognizers
    )


def _speed(lines: list[bytes], look: Finder) -> float:
    """Return megabytes a second of processor time: others may be at work on the machine."""
    start = process_time()
    ours_of(lines, look)
    return sum(map(len, lines)) / _MEGABYTE / (process_time() - start)


if __name__ == "__main__":
    for row in measure():
        print(f"{row.name}: {row.value:.2f} (bar: {row.bar})")
    sys.exit()
