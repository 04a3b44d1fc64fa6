"""Both pipelines on a Dask cluster: what they find and make is the same, to the byte."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from distributed import Client, Worker

from coordinator.cli.demo_ai_receiver import receiving
from coordinator.cli.demo_ai_report import table_of_checks
from tests.faults.soak_ai_kills import of_both, of_one
from tests.faults.soak_ai_stage import Stage
from tests.jobs.dask_processes import DaskProcesses

pytestmark = pytest.mark.alone

if TYPE_CHECKING:
    from coordinator.embedded import Addresses

_SECONDS: Final = 1_200.0


def _computed(dask_worker: Worker) -> int:
    """Say in a worker how many tasks it has run."""
    return int(dask_worker.state.executed_count)


def test_a_cluster_makes_the_same_of_both_pipelines(servers: "Addresses", tmp_path: Path) -> None:
    """A scheduler and two workers, each a process, against the process pool of one machine."""
    cluster = DaskProcesses(tmp_path)
    try:
        cluster.start_worker()
        cluster.start_worker()
        with receiving(lost_every=None) as receiver:
            stage = Stage(servers, tmp_path, receiver, name="same_on_dask")
            stage.upload(rows=20_000, texts=5_000, seed=6)
            with stage.run("pool") as run:
                here = run.finish(seconds=_SECONDS)
            with stage.run("dask", DASK_SCHEDULER_ADDRESS=cluster.address) as run:
                there = run.finish(seconds=_SECONDS)
                with Client(cluster.address) as client:  # type: ignore[no-untyped-call] # it has no types
                    computed = client.run(_computed)
    finally:
        cluster.end()

    checks = [*of_one(stage, there), *of_both(here, there)]
    assert all(check.is_ok for check in checks), table_of_checks(checks)
    assert len(computed) == 2
    assert min(computed.values()) > 0, "both workers have computed pieces"
