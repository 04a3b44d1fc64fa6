"""``make bench``: run all benchmarks, print one table, keep it in docs/benchmarks.md.

It exits 1 when a bar fails. ``--only NAME`` runs one of them and leaves the page alone.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.benchmarks import (
    bench_ledger,
    bench_memory,
    bench_metadata,
    bench_pii,
    bench_processes,
    bench_signing,
    bench_upload,
    bench_urls,
    bench_validate,
)
from tests.benchmarks.measuring import Row, table

BENCHMARKS: Final[dict[str, Callable[[], list[Row]]]] = {
    "signing": bench_signing.measure,
    "urls": bench_urls.measure,
    "ledger": bench_ledger.measure,
    "upload": bench_upload.measure,
    "validate": bench_validate.measure,
    "pii": bench_pii.measure,
    "metadata": bench_metadata.measure,
    "processes": bench_processes.measure,
    "memory": bench_memory.measure,
}

_PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"

_TEXT: Final = """# Benchmarks

Written by `make bench`; change `tests/benchmarks/`, not this page. Every value is a ratio or a
count. Ratios are medians of alternating runs in one call, so they say how things compare, and not
how fast a machine is. A row without a bar is shown and not promised.

Measured on {date}, Python {python}, {cpu}, {cores} cores.

{table}
"""


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, help="run one, and do not write the page")
    only = parser.parse_args().only
    rows: list[Row] = []
    for name in [only] if only else BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += BENCHMARKS[name]()
    print(table(rows))
    if not only:
        _PAGE.write_text(_page(rows), encoding="utf-8")
    failed = [row.name for row in rows if not row.holds]
    for name in failed:
        print(f"bar not held: {name}", file=sys.stderr)
    return 1 if failed else 0


def _page(rows: list[Row]) -> str:
    return _TEXT.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
        cpu=cpu_model(),
        cores=os.cpu_count(),
        table=table(rows),
    )


def cpu_model() -> str:
    """Name the processor: Linux tells it in a file, others through the platform."""
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
