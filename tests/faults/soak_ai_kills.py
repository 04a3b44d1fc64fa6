"""Kills the worker of a run at random moments in which it is at a job, and judges what is left."""

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from coordinator.cli.demo_ai_report import Check
from tests.faults.installation import family_of
from tests.faults.soak_ai_evidence import Evidence
from tests.faults.soak_ai_stage import BusyClock, Run, Stage

# How much of the time that the jobs take all kills need.
_PART: Final = 0.5
_SHARE: Final = 0.2
_PATIENCE_S: Final = 120.0


class Kill(msgspec.Struct, frozen=True):
    """One kill -9: after how much work of this worker, and at which jobs it was."""

    busy_s: float
    kinds: tuple[str, ...]
    family: tuple[tuple[int, str], ...]  # processes, and when each began


def moments(rng: Random, count: int, busy_s: float) -> list[float]:
    """Choose moments in a time of work, and return how much work lies between them."""
    chosen = sorted(rng.uniform(0, _PART * busy_s) for _ in range(count))
    return [end - start for start, end in zip([0.0, *chosen], chosen, strict=False)]


def kill_at(run: Run, pauses: Sequence[float]) -> list[Kill]:
    """Kill worker after worker, and start a new one each time; fewer if the work is over.

    No job is hit much oftener than others: the longest would take all kills, and one that takes
    down worker after worker is given up in the end, as it should be.
    """
    clock = BusyClock(run.dsn, attempts=max(1, round(_SHARE * len(pauses))))
    kills = list[Kill]()
    try:
        for pause in pauses:
            killed = _killed(run, clock, pause)
            if killed is None:
                return kills
            kills.append(killed)
            clock.begin()
            run.worker.start()
    finally:
        clock.close()
    return kills


def _killed(run: Run, clock: BusyClock, pause: float) -> Kill | None:
    """Wait for the moment; ``None``: there is no work any more."""
    at = time.monotonic()
    deadline = at + _PATIENCE_S
    while not clock.kinds or clock.seconds < pause:
        if at > deadline:
            return None
        at = clock.look(at)
    family = tuple((pid, _began(pid)) for pid in family_of(run.worker.pid))
    run.worker.kill()
    return Kill(clock.seconds, tuple(clock.kinds), family)


def _began(pid: int) -> str:
    """Say when a process began, so that another one with its number is not taken for it."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = status.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]


def survivors(kills: Sequence[Kill]) -> list[int]:
    """Return the processes of killed workers that are still there."""
    return [pid for kill in kills for pid, began in kill.family if began and _began(pid) == began]


def of_one(stage: Stage, found: Evidence) -> list[Check]:
    """Judge a run by itself: each thing once, and nothing that has no reason."""
    states = [job["state"] for job in found.jobs.values()]
    facts = stage.expected_facts
    return [
        Check("jobs that succeeded", len(facts) - len(stage.upload_ids), states.count("succeeded")),
        Check("jobs in all, one row each", len(states), states.count("succeeded")),
        Check(
            "objects: those that rows name, no more", found.named(stage.prefix), {*found.objects}
        ),
        Check("objects: S3's checksum is the row's root", _roots(found), _checksums(found)),
        Check("multiparts that are left", (), found.multiparts),
        Check("pieces, queue, deliveries: nothing left", {0}, {*found.left.values()}),
        Check("events: each fact was taken once", dict(facts), dict(found.facts)),
        Check("hand-overs that were taken", 1, len(found.handovers)),
        Check("requests without a good signature", 0, found.unsigned),
        Check("repeats with another body", 0, found.changed_bodies),
    ]


def of_both(calm: Evidence, other: Evidence) -> list[Check]:
    """Judge a run by what the same work came to undisturbed."""
    return [
        Check("results are the same", calm.results, other.results),
        Check("artifacts are the same rows", calm.artifacts, other.artifacts),
        Check("objects are the same, byte for byte", calm.objects, other.objects),
        Check("the index is the same", calm.index, other.index),
        Check("hand-overs are the same", calm.handovers, other.handovers),
    ]


def _roots(found: Evidence) -> dict[str, str]:
    return {key: row["root"] for key, row in found.artifacts.items()}


def _checksums(found: Evidence) -> dict[str, str | None]:
    return {key: found.objects.get(key, (0, "", None))[2] for key in found.artifacts}
