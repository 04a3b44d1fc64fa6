"""``make mutation``: take out one check after the other, and see that some test fails.

Each mutant is a copy of the sources with one text replaced. A mutant that lives means that a check
could be lost without anybody noticing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.faults.access_mutants import ACCESS
from tests.faults.mutants import INTEGRITY, Mutant

_ROOT: Final = Path(__file__).parents[2]
_COPIED: Final = ("coordinator", "manifests", "tests", "pyproject.toml")
_FAILED: Final = 1  # pytest's code for failed tests; others mean that it could not run
_PATIENCE_S: Final = 300

MUTANTS: Final = (*INTEGRITY, *ACCESS)


def apply(mutant: Mutant, folder: Path) -> None:
    """Take the check out of the sources in ``folder``."""
    path = folder / mutant.path
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.text) == 1, f"{mutant.check}: {mutant.path} has changed"
    path.write_text(source.replace(mutant.text, mutant.without), encoding="utf-8")


def _killer(mutant: Mutant) -> tuple[str | None, str]:
    """Return the test that failed, or ``None``, and the end of pytest's output."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        for entry in _COPIED:
            source = _ROOT / entry
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / entry)
        apply(mutant, folder)
        localstack = _ROOT / ".venv-localstack" / "bin" / "python"
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                *mutant.tests.split(),
            ],
            cwd=folder,
            env={"LOCALSTACK_PYTHON": str(localstack), **os.environ},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    failed = [line for line in ran.stdout.splitlines() if line.startswith("FAILED ")]
    if ran.returncode != _FAILED or not failed:
        return None, ran.stdout[-2000:]
    return failed[0].removeprefix("FAILED ").split(" - ")[0], ""


def main() -> int:
    """Run the mutants, print the table, and say by the exit code whether one lived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Mutants whose check has this text in it.")
    only = parser.parse_args().only
    table = Table("check taken out", "killed by", "s")
    lived = 0
    console = Console()
    for mutant in MUTANTS:
        if only not in mutant.check:
            continue
        started = time.monotonic()
        killer, output = _killer(mutant)
        seconds = f"{time.monotonic() - started:.0f}"
        lived += killer is None
        table.add_row(mutant.check, killer or "[bold]nobody: it lives[/bold]", seconds)
        console.print(f"{mutant.check}: {killer or 'LIVES'} ({seconds} s)", soft_wrap=True)
        if output:
            console.print(output, markup=False)
    console.print(table)
    return min(lived, 1)


if __name__ == "__main__":
    sys.exit(main())
