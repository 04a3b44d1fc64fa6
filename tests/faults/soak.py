"""``make soak``: kill the service at every crash point, over many seeds, and judge what is left.

python -m tests.faults.soak                         every point, 40 seeds, two lanes
python -m tests.faults.soak --point sealed --seed 7 -v    one run again, with its history
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, cast

import click
import msgspec

from coordinator.embedded import Addresses, running
from coordinator.points import ALL, Point
from tests.faults.evidence import Change, Evidence, JobChange, Line
from tests.faults.lanes import Outcome, Place, Wanted
from tests.localstack import S3Address, running_localstack

_ROOT: Final = Path(__file__).parents[2]
_LANES: Final = 2
_SPEAKS_EVERY: Final = 50


class LaneProcess:
    """A lane in a process of its own, whose children are forked from what it has imported."""

    def __init__(self, place: Place) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.lanes"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._tell(place)

    def run(self, wanted: Wanted) -> Outcome:
        """Run one scenario and return what came of it."""
        self._tell(wanted)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the lane has died; its error is above"
        return msgspec.json.decode(line, type=Outcome)

    def end(self) -> None:
        """Let it end; what it was running is waited for."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _tell(self, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(value) + b"\n")
        self._process.stdin.flush()


def place_of(
    servers: Addresses, s3: Addresses | S3Address, *, name: str, folder: Path, valkey: int
) -> Place:
    """Say where a lane runs: a database, a prefix and a Valkey database of its own."""
    redis_url, _, _ = servers.redis_url.rpartition("/")
    return Place(
        name=name,
        folder=str(folder),
        database_url=servers.database_url,
        redis_url=f"{redis_url}/{valkey}",
        s3_endpoint=s3.s3_endpoint,
        s3_bucket=s3.s3_bucket,
        s3_region=s3.s3_region,
        access_key=s3.access_key,
        secret_key=s3.secret_key,
    )


@contextmanager
def _places(folder: Path, *, lanes: int, localstack: bool) -> Iterator[list[Place]]:
    """Start the servers, once for all lanes."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coordinator-soak-")))
        servers = stack.enter_context(running(home / "embedded")).addresses
        s3: Addresses | S3Address = servers
        if localstack:
            s3 = stack.enter_context(running_localstack(home / "localstack"))
        yield [
            place_of(servers, s3, name=f"soak-{number}", folder=folder, valkey=number)
            for number in range(lanes)
        ]


def _run_all(places: Sequence[Place], wanted: Iterable[Wanted]) -> list[Outcome]:
    """Let the lanes take run after run until none is left."""
    waiting, outcomes = deque(wanted), list[Outcome]()
    total, began = len(waiting), time.monotonic()

    def drain(place: Place) -> None:
        lane = LaneProcess(place)
        try:
            while True:
                try:
                    next_one = waiting.popleft()
                except IndexError:
                    return
                outcomes.append(lane.run(next_one))
                _say(outcomes, total, time.monotonic() - began)
        finally:
            lane.end()

    threads = [threading.Thread(target=drain, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _say(outcomes: Sequence[Outcome], total: int, seconds: float) -> None:
    last = outcomes[-1]
    for violation in last.violations:
        click.echo(f"{last.point} seed {last.seed}: {violation.rule}: {violation.detail}")
    if len(outcomes) % _SPEAKS_EVERY == 0:
        broken = sum(bool(outcome.violations) for outcome in outcomes)
        click.echo(f"{len(outcomes)} of {total} runs, {broken} broken, {seconds:.0f} s")


def table(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Sum up, a line a point."""
    lines = [
        f"{'point':<22}{'seeds':>7}{'reached':>9}{'crashes':>9}{'violations':>12}{'seconds':>9}"
    ]
    points = [point for point in ALL if any(outcome.point == point for outcome in outcomes)]
    for label, chosen in (
        *((point, [each for each in outcomes if each.point == point]) for point in points),
        ("all", list(outcomes)),
    ):
        reached = sum(outcome.is_reached for outcome in chosen)
        crashes = sum(outcome.crashes for outcome in chosen)
        violations = sum(len(outcome.violations) for outcome in chosen)
        spent = seconds if label == "all" else sum(outcome.seconds for outcome in chosen)
        lines.append(
            f"{label:<22}{len(chosen):>7}{reached:>9}{crashes:>9}{violations:>12}{spent:>9.0f}"
        )
    return "\n".join(lines)


def story(folder: Path) -> str:
    """Tell a run in the order of time: what was asked and answered, and what the rows became."""
    kept = msgspec.json.decode((folder / "evidence.json").read_bytes(), type=Evidence)
    events: list[Line | Change | JobChange] = [*kept.lines, *kept.changes, *kept.job_changes]
    told = [(folder / "scenario.json").read_text()]
    for event in sorted(events, key=lambda each: each.at):
        facts = {name: value for name, value in msgspec.structs.asdict(event).items() if value}
        at = time.strftime("%H:%M:%S", time.gmtime(facts.pop("at")))
        told.append(f"{at}.{event.at % 1 * 1000:03.0f} {type(event).__name__:<9} {facts}")
    return "\n".join(told)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--point", choices=ALL, action="append", help="only this one; repeatable")
    parser.add_argument("--seeds", type=int, default=40, help="how many seeds a point")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--lanes", type=int, default=_LANES)
    parser.add_argument("--localstack", action="store_true", help="as S3, instead of SeaweedFS")
    parser.add_argument("--folder", type=Path, help="where failed runs are kept")
    parser.add_argument("-v", action="store_true", dest="is_verbose", help="print the history")
    return parser.parse_args()


def main() -> int:
    """Run, print the table, and say whether all went well."""
    asked = _arguments()
    seeds = range(asked.first, asked.first + asked.seeds) if asked.seed is None else [asked.seed]
    points = cast("Sequence[Point]", asked.point or ALL)
    wanted = [Wanted(point, seed, asked.is_verbose) for seed in seeds for point in points]
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="coordinator-soak-kept-"))
    lanes = min(asked.lanes, len(wanted))
    began = time.monotonic()
    with _places(folder, lanes=lanes, localstack=asked.localstack) as places:
        outcomes = _run_all(places, wanted)
    if asked.is_verbose:
        click.echo("\n".join(story(Path(outcome.folder)) for outcome in outcomes))
    click.echo(table(outcomes, time.monotonic() - began))
    unreached = [each for each in outcomes if not each.is_reached and not each.violations]
    for outcome in unreached:
        click.echo(f"{outcome.point} seed {outcome.seed}: the point was not reached")
    broken = [outcome for outcome in outcomes if outcome.violations]
    for outcome in broken:
        click.echo(
            f"again: python -m tests.faults.soak --point {outcome.point} --seed {outcome.seed} -v"
        )
        click.echo(f"kept:  {outcome.folder}")
    return 1 if broken or unreached or len(outcomes) < len(wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
