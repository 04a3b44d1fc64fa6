"""``make soak-ai``: kill the worker again and again while it runs both pipelines; nothing differs.

python -m tests.faults.soak_ai --kills 20 --seed 1
python -m tests.faults.soak_ai --kills 3 --rows 5000 --texts 2000
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import click

from coordinator.cli.demo_ai_receiver import receiving
from coordinator.cli.demo_ai_report import Check, table_of_checks
from coordinator.embedded import running
from tests.faults.soak_ai_evidence import Evidence
from tests.faults.soak_ai_kills import Kill, kill_at, moments, of_both, of_one, survivors
from tests.faults.soak_ai_stage import Stage, measured

_CALM_SECONDS: Final = 1_200.0
_KILLED_SECONDS: Final = 3_600.0


def calm_run(stage: Stage) -> tuple[Evidence, float]:
    """Let the jobs run undisturbed, and return what came of it and how long the work took."""
    with stage.run("calm") as run, measured(run) as busy:
        evidence = run.finish(seconds=_CALM_SECONDS)
    return evidence, busy[0]


def killed_run(stage: Stage, pauses: Sequence[float]) -> tuple[Evidence, list[Kill]]:
    """Let them run with kills, and return what came of it and when these were."""
    with stage.run("killed") as run:
        kills = kill_at(run, pauses)
        evidence = run.finish(seconds=_KILLED_SECONDS)
    return evidence, kills


def judged(
    stage: Stage, calm: Evidence, killed: Evidence, kills: Sequence[Kill], wanted: int
) -> list[Check]:
    """Hold both runs against each other, and against what must be so anyhow."""
    return [
        *(_under("calm", each) for each in of_one(stage, calm)),
        *(_under("killed", each) for each in of_one(stage, killed)),
        *of_both(calm, killed),
        Check("kills, each while a job was running", wanted, len(kills)),
        Check("processes that outlived their worker", [], survivors(kills)),
    ]


def _under(name: str, check: Check) -> Check:
    return check._replace(what=f"{name}: {check.what}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak_ai", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=200_000, help="of the training data")
    parser.add_argument("--texts", type=int, default=20_000, help="of the retrieval data")
    parser.add_argument("--seed", type=int, default=1, help="of data and moments")
    return parser.parse_args()


def main() -> int:
    """Run, print the table, and say whether all went well."""
    asked = _arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coordinator-soak-") as name, receiving() as receiver:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder / "home") as servers:
            stage = Stage(servers.addresses, folder, receiver, name="soak_ai")
            stage.upload(rows=asked.rows, texts=asked.texts, seed=asked.seed)
            click.echo(f"uploaded, {time.monotonic() - began:.0f} s")
            calm, busy_s = calm_run(stage)
            click.echo(f"undisturbed: {busy_s:.0f} s of work, {time.monotonic() - began:.0f} s")
            pauses = moments(Random(asked.seed), asked.kills, busy_s)
            killed, kills = killed_run(stage, pauses)
    for number, kill in enumerate(kills, start=1):
        click.echo(f"kill {number:>2} after {kill.busy_s:6.2f} s at {', '.join(kill.kinds)}")
    for kind, attempts in killed.attempts.items():
        click.echo(f"{kind:<26}{calm.attempts[kind]:>4} attempts undisturbed,{attempts:>4} killed")
    checks = judged(stage, calm, killed, kills, asked.kills)
    wrong = sum(not each.is_ok for each in checks)
    click.echo(table_of_checks(checks))
    click.echo(f"{len(kills)} kills, {killed.repeats} repeats at the receiver")
    click.echo(f"{len(checks)} checks, {wrong} wrong, {time.monotonic() - began:.0f} s")
    if wrong:
        click.echo(f"again: python -m tests.faults.soak_ai --seed {asked.seed} --rows {asked.rows}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
