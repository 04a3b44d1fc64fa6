"""``make bench-browser``: ours beside Uppy 6 with its own S3 plugin and its Companion, in Chromium.

It prints the table, keeps it in docs/browser-benchmarks.md, and exits 1 when a bar fails.
``--mebibytes`` and ``--rounds`` make it shorter, and leave the page alone.
"""

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks.__main__ import cpu_model
from tests.benchmarks.measuring import Row, table
from tests.browser.bench.racing import Conditions, Lap, Track, track
from tests.builders import MIB

_PAGE: Final = Path(__file__).parents[3] / "docs" / "browser-benchmarks.md"
_BLOCK: Final = MIB
_WARMING: Final = 32 * MIB

# What is promised: the place in time, and how far memory may grow, whatever the file's size.
_MEMORY_MIB: Final = 256
_CONDITIONS: Final = (
    Conditions("loopback", delay_s=0.0, time_at_most=1.05),
    Conditions("50 ms more for each request", delay_s=0.05, time_at_most=0.7),
)

_TEXT: Final = """# Benchmarks in a browser

Written by `make bench-browser`; change `tests/browser/bench/`, not this page. A file of
{mebibytes} MiB, in chunks of 8 MiB, goes from {chromium} into SeaweedFS on the same machine,
{rounds} times by `coordinator.js` and {rounds} times by Uppy {uppy} with its own S3 plugin and
its own Companion, in turns. Ratios are medians over the turns; memory is the peak of the tab's
process above what it had before. Only `coordinator.js` hashes what it sends.

Measured on {date}, {cpu}, {cores} cores.

{table}
"""


def main() -> int:
    """Race; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.bench", description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-browser-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres's user goes through it
        path = folder / "file.bin"
        with path.open("wb") as file:
            for _ in range(chosen.mebibytes):
                file.write(os.urandom(_BLOCK))
        rows, about = _raced(path, folder, rounds=chosen.rounds)
    text = table(rows)
    print(text)
    if (chosen.mebibytes, chosen.rounds) == (1024, 3):
        _PAGE.write_text(_page(text, about, chosen.mebibytes, chosen.rounds), encoding="utf-8")
    failed = [row.name for row in rows if not row.holds]
    for each in failed:
        print(f"bar not held: {each}", file=sys.stderr)
    return 1 if failed else 0


def _raced(path: Path, folder: Path, *, rounds: int) -> tuple[list[Row], dict[str, str]]:
    rows: list[Row] = []
    about: dict[str, str] = {}
    for number, conditions in enumerate(_CONDITIONS):
        home = folder / str(number)
        home.mkdir(mode=0o755)
        with track(home, conditions) as ready:
            about = ready.about
            rows += _rows(conditions, *_laps(ready, path, rounds=rounds))
    return rows, about


def _laps(ready: Track, path: Path, *, rounds: int) -> tuple[list[Lap], list[Lap]]:
    """Let both run in turns, once both are warm; who begins changes."""
    warming = path.with_name("warming.bin")
    warming.write_bytes(os.urandom(_WARMING))
    for side in ("ours", "uppy"):
        ready.run(side, warming)
    laps: dict[str, list[Lap]] = {"ours": [], "uppy": []}
    for turn in range(rounds):
        for side in ("uppy", "ours") if turn % 2 else ("ours", "uppy"):
            lap = ready.run(side, path)
            laps[side].append(lap)
            print(f"{ready.conditions.name}: {side} {lap}", file=sys.stderr, flush=True)
    return laps["ours"], laps["uppy"]


def _rows(conditions: Conditions, ours: list[Lap], theirs: list[Lap]) -> list[Row]:
    of = f"{conditions.name}: "
    ratios = [a.seconds / b.seconds for a, b in zip(ours, theirs, strict=True)]
    signing = max(a.signing for a in ours), min(b.signing for b in theirs)
    calls = max(a.calls for a in ours), min(b.calls for b in theirs)
    return [
        Row(f"{of}time of ours / Uppy", median(ratios), at_most=conditions.time_at_most),
        Row(f"{of}signing requests of ours / Uppy", signing[0] / signing[1], at_most=1 / 20),
        Row(f"{of}signing requests of ours", signing[0]),
        Row(f"{of}signing requests of Uppy", signing[1]),
        Row(f"{of}all requests to coordinator of ours", calls[0]),
        Row(f"{of}all requests to Companion of Uppy", calls[1]),
        Row(
            f"{of}memory of the tab, MiB more, ours",
            max(a.memory_mib for a in ours),
            at_most=_MEMORY_MIB,
        ),
        Row(f"{of}memory of the tab, MiB more, Uppy", max(b.memory_mib for b in theirs)),
    ]


def _page(text: str, about: dict[str, str], mebibytes: int, rounds: int) -> str:
    return _TEXT.format(
        mebibytes=mebibytes,
        rounds=rounds,
        chromium=about["chromium"],
        uppy=about["uppy"],
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        cpu=cpu_model(),
        cores=os.cpu_count(),
        table=text,
    )


if __name__ == "__main__":
    sys.exit(main())
