"""What becomes of rows is the same however their digests come in, and exact."""

from hashlib import blake2b
from pathlib import Path

import pytest

from coordinator.jobs import training_verdicts
from coordinator.jobs.rows import NotRowsError
from coordinator.jobs.training_survey import NO_DIGEST
from coordinator.jobs.training_verdicts import DROPPED, Verdicts


def digests(numbers: list[int]) -> list[bytes]:
    """Make a digest of each number; -1 stands for a broken row."""
    return [NO_DIGEST if n < 0 else blake2b(b"%d" % n, digest_size=16).digest() for n in numbers]


def judged(folder: Path, found: list[bytes], *, at_once: int, dedupe: bool = True) -> list[int]:
    """Judge rows that come in parts of some length."""
    verdicts = Verdicts(folder, validation=0.2, test=0.1, dedupe=dedupe)
    for start in range(0, len(found), at_once):
        verdicts.add(b"".join(found[start : start + at_once]))
    verdicts.settle()
    given = list(verdicts)
    assert verdicts.rows == len(given) == len(found)
    assert sum(verdicts.counts.values()) == sum(each != DROPPED for each in given)
    assert verdicts.duplicates == given.count(DROPPED) - found.count(NO_DIGEST)
    return given


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make everything that holds a million rows hold a thousand, so that there are many of it."""
    monkeypatch.setattr(training_verdicts, "_AT_ONCE", 1000)
    monkeypatch.setattr(training_verdicts, "_WINDOW", 700)


@pytest.mark.usefixtures("small")
def test_of_equal_rows_the_first_stays(tmp_path: Path) -> None:
    """Over all files, windows and parts of which there may be many."""
    numbers = [i * 7919 % 4001 if i % 11 else -1 for i in range(12_000)]
    seen: set[int] = set()
    first = []
    for n in numbers:
        first.append(n >= 0 and n not in seen)
        seen.add(n)

    given = judged(tmp_path / "a", digests(numbers), at_once=123)

    assert [each != DROPPED for each in given] == first
    assert given == judged(tmp_path / "b", digests(numbers), at_once=12_000)


def test_kept_repetitions_are_in_one_split(tmp_path: Path) -> None:
    """What is trained on must not be tested with, wanted twice or not."""
    given = judged(tmp_path / "a", digests([*range(500), *range(500)]), at_once=99, dedupe=False)

    assert DROPPED not in given
    assert given[:500] == given[500:]


def test_digests_that_differ_in_one_bit_are_two_rows(tmp_path: Path) -> None:
    """Half a digest is not enough."""
    base = digests([1])[0]
    flipped = [(int.from_bytes(base) ^ (1 << bit)).to_bytes(16) for bit in range(128)]

    given = judged(tmp_path / "a", [base, *flipped, base], at_once=1000)

    assert [place for place, each in enumerate(given) if each == DROPPED] == [129]


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    """The disk has an end."""
    verdicts = Verdicts(tmp_path / "a", validation=0, test=0, dedupe=True, most_rows=9)
    verdicts.add(b"".join(digests(list(range(10)))))

    with pytest.raises(NotRowsError) as refusal:
        verdicts.settle()

    assert refusal.value.reason == "too-many-rows"
