"""A Dask cluster gives the same bytes as this machine, whichever of its workers dies."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coordinator.jobs.child_processes import LostTaskError
from coordinator.jobs.executors import mapped, open_executor
from coordinator.jobs.object_reader import ObjectReadError
from coordinator.jobs.stopping import StoppedError
from tests.jobs.computing import Slice, deadly, digest, failing, noted, who
from tests.jobs.dask_processes import DaskProcesses

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """A scheduler without workers."""
    processes = DaskProcesses(tmp_path_factory.mktemp("dask"))
    try:
        yield processes
    finally:
        processes.end()


@pytest.fixture(scope="module")
def executor(cluster: DaskProcesses) -> Iterator[Executor]:
    """The cluster with two workers."""
    cluster.start_worker()
    cluster.start_worker()
    with open_executor(1, cluster.address) as opened:
        yield opened


def computed(
    executor: Executor,
    function: Callable[..., Any],
    pieces: list[Slice],
    *arguments: Any,
    is_stopped: Callable[[], bool] = lambda: False,
    ahead: int = 8,
) -> tuple[list[Any], dict[int, bytes | None]]:
    """Map, and return the results and what was told to be kept."""
    kept: dict[int, bytes | None] = {}
    results = mapped(
        executor,
        function,
        pieces,
        arguments,
        kept={},
        on_result=lambda at, body, _done: kept.__setitem__(at, body),
        is_stopped=is_stopped,
        keep=True,
        ahead=ahead,
        name="job_00000000000000000000000001",
    )
    return list(results), kept


def test_a_cluster_gives_the_same_bytes_as_this_machine(executor: Executor) -> None:
    """In the same order, from two workers."""
    pieces = [Slice(n, size=10_000 + n, seconds=0.02) for n in range(40)]

    there = computed(executor, digest, pieces, "salt")
    with open_executor(2, None) as local:
        here = computed(local, digest, pieces, "salt")

    assert there == here
    assert len(set(computed(executor, who, pieces)[0])) == 2


def test_arguments_show_nowhere(executor: Executor, cluster: DaskProcesses, tmp_path: Path) -> None:
    """Keys, logs and what a dashboard could show: a piece holds credentials."""
    assert computed(executor, noted, [Slice(0, secret="hush-hush-hush")], str(tmp_path))[0] == [0]
    with pytest.raises(ObjectReadError):
        computed(executor, failing, [Slice(0, secret="hush-hush-hush")])

    assert "job_00000000000000000000000001-0" in cluster.logs  # as the key of what failed
    assert "hush" not in cluster.logs


def test_a_stopped_job_is_dropped(executor: Executor, tmp_path: Path) -> None:
    """The scheduler forgets what waited."""
    pieces = [Slice(n, seconds=0.5) for n in range(50)]

    with pytest.raises(StoppedError):
        computed(
            executor,
            noted,
            pieces,
            str(tmp_path),
            is_stopped=lambda: any(tmp_path.iterdir()),
            ahead=50,
        )
    computed(executor, who, [Slice(0), Slice(1)])

    assert len(list(tmp_path.iterdir())) < 10


def test_a_killed_worker_changes_nothing(executor: Executor, cluster: DaskProcesses) -> None:
    """What it computed, or held and had not given out, is computed again by another."""
    pieces = [Slice(n, size=5_000 + n, seconds=0.1) for n in range(40)]
    victim = cluster.workers[0]
    killing = threading.Timer(0.8, victim.kill)
    killing.start()

    there, kept = computed(executor, digest, pieces, "salt")

    assert victim.wait(timeout=1) < 0, "it was killed before all was computed"
    assert there == [digest(piece, "salt") for piece in pieces]
    assert [kept[at] for at in range(40)] == [msgspec.json.encode(each) for each in there]
    cluster.start_worker()


def test_a_piece_that_kills_every_worker_fails_the_attempt(cluster: DaskProcesses) -> None:
    """Dask gives up after some; the job is tried again, and what hangs on it is not stuck."""
    for _ in range(4):
        cluster.start_worker()
    with open_executor(1, cluster.address) as executor:
        with pytest.raises(LostTaskError):
            computed(executor, deadly, [Slice(n) for n in range(3)], 1)

        cluster.start_worker()
        assert computed(executor, deadly, [Slice(n) for n in range(3)], -1)[0] == [0, 1, 2]


def test_a_scheduler_that_goes_away_fails_the_attempt(tmp_path: Path) -> None:
    """And no job waits for ever."""
    processes = DaskProcesses(tmp_path)
    try:
        processes.start_worker()
        with open_executor(1, processes.address) as executor:
            computed(executor, who, [Slice(0)])
            threading.Timer(0.5, processes.scheduler.kill).start()
            pieces = [Slice(n, seconds=0.3) for n in range(20)]
            with pytest.raises(LostTaskError):
                computed(executor, noted, pieces, str(tmp_path))
            with pytest.raises((LostTaskError, OSError)):
                computed(executor, who, [Slice(0)])
    finally:
        processes.end()
