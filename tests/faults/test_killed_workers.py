"""AI jobs whose worker is killed at random moments; ``make soak-ai`` does it oftener, with more."""

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from coordinator.cli.demo_ai_receiver import receiving
from coordinator.cli.demo_ai_report import table_of_checks
from tests.faults.soak_ai import calm_run, judged, killed_run
from tests.faults.soak_ai_kills import moments
from tests.faults.soak_ai_stage import Stage

pytestmark = pytest.mark.alone

if TYPE_CHECKING:
    from coordinator.embedded import Addresses

_KILLS: Final = 3


def test_a_killed_worker_changes_nothing(servers: "Addresses", tmp_path: Path) -> None:
    """Same results, same bytes, each job and each event once: nothing lost and nothing twice."""
    with receiving(lost_every=None) as receiver:
        stage = Stage(servers, tmp_path, receiver, name="killed_workers")
        stage.upload(rows=1_000, texts=1_000, seed=5)
        calm, busy_s = calm_run(stage)

        killed, kills = killed_run(stage, moments(Random(5), _KILLS, busy_s))

    checks = judged(stage, calm, killed, kills, _KILLS)
    assert all(check.is_ok for check in checks), table_of_checks(checks)
