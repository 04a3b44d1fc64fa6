"""Pieces are computed many at a time, and come back as if one after the other."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coordinator.jobs import child_processes
from coordinator.jobs.child_processes import Children, LostTaskError
from coordinator.jobs.dask_cluster import DaskMissingError
from coordinator.jobs.executors import mapped, open_executor
from coordinator.jobs.object_reader import ObjectReadError
from coordinator.jobs.stopping import StoppedError
from tests.jobs.computing import Slice, deadly, digest, failing, logging_it, noted, told, who

_NOTHING: Mapping[int, bytes] = {}


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Two processes."""
    with open_executor(2, None) as opened:
        yield opened


def results(  # noqa: D103
    executor: Executor, function: Callable[..., Any], pieces: Any, *arguments: Any, **named: Any
) -> Iterator[Any]:
    usual: dict[str, Any] = {
        "kept": _NOTHING,
        "on_result": lambda *_: None,
        "is_stopped": lambda: False,
        "keep": True,
        "ahead": 4,
    }
    return mapped(executor, function, pieces, arguments, **{**usual, **named})


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether there is no such process, or only what is left for its parent to read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("keep", [True, False])
def test_results_come_in_the_order_of_the_pieces(executor: Executor, *, keep: bool) -> None:
    """The first takes longest. They have the types that the function says, kept or not."""
    pieces = [Slice(n, seconds=0.3 if n == 0 else 0.0) for n in range(12)]

    found = list(results(executor, digest, pieces, "salt", keep=keep))

    assert found == [digest(Slice(n), "salt") for n in range(12)]


def test_each_result_is_told_once_and_can_be_kept(executor: Executor) -> None:
    """What is told as JSON is enough for a later attempt, which computes only the rest."""
    told_of: list[tuple[int, bytes | None, int]] = []
    pieces = [Slice(n) for n in range(6)]
    first = list(
        results(executor, digest, pieces, "salt", on_result=lambda *all_: told_of.append(all_))
    )
    kept = {at: body for at, body, _done in told_of if body is not None and at != 2}
    again: list[tuple[int, bytes | None, int]] = []

    # Another salt shows what is computed anew.
    second = list(
        results(
            executor,
            digest,
            pieces,
            "pepper",
            kept=kept,
            on_result=lambda *all_: again.append(all_),
        )
    )

    assert sorted(at for at, _, _ in told_of) == list(range(6))
    assert [done for _, _, done in told_of] == list(range(1, 7))
    assert [json.loads(body)["number"] for at, body in sorted(kept.items())] == [0, 1, 3, 4, 5]
    assert [a == b for a, b in zip(first, second, strict=True)] == [at != 2 for at in range(6)]
    assert {at for at, body, _ in again if body is not None} == {2}
    assert max(done for _, _, done in again) == 6


def test_what_was_kept_by_another_release_is_computed_again(executor: Executor) -> None:
    """It does not fit what the function returns today."""
    kept = {0: b'{"other": 1}', 1: b"no json", 2: msgspec.json.encode(digest(Slice(9), "x"))}

    found = list(results(executor, digest, [Slice(0), Slice(1), Slice(2)], "salt", kept=kept))

    assert [each.number for each in found] == [0, 1, 9]


def test_only_so_many_pieces_are_begun_ahead(executor: Executor) -> None:
    """There may be any number of pieces: neither they nor their results gather in memory."""
    begun: list[int] = []

    def endless() -> Iterator[Slice]:
        for number in count():
            begun.append(number)
            yield Slice(number)

    found = results(executor, who, endless(), ahead=3)
    for taken in range(1, 20):
        next(found)
        time.sleep(0.02)
        assert len(begun) <= taken + 3
    found.close()  # type: ignore[attr-defined]

    assert len(begun) >= 20


def test_a_child_that_is_killed_fails_its_own_piece_only(
    executor: Executor, tmp_path: Path
) -> None:
    """The attempt fails and can be tried again, with the pool as it was."""
    others = [executor.submit(noted, Slice(n, seconds=0.1), str(tmp_path)) for n in range(6)]

    with pytest.raises(LostTaskError):
        list(results(executor, deadly, [Slice(n) for n in range(8)], 3))

    assert [each.result() for each in others] == list(range(6))
    assert list(results(executor, deadly, [Slice(n) for n in range(8)], -1)) == list(range(8))


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """In the middle of a piece that would take minutes."""
    parent = subprocess.Popen([sys.executable, "-m", "tests.jobs.parent_of_children", tmp_path])
    try:
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        children = [int(each.name) for each in tmp_path.iterdir()]
        assert not any(map(is_gone, children))
    finally:
        parent.kill()
        parent.wait()

    until(lambda: all(map(is_gone, children)))


def test_closing_kills_what_runs(tmp_path: Path) -> None:
    """A worker that must leave does not wait for a piece that takes minutes."""
    with open_executor(2, None) as executor:
        futures = [executor.submit(told, Slice(n, seconds=300), str(tmp_path)) for n in range(9)]
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        children = [int(each.name) for each in tmp_path.iterdir()]

    assert all(map(is_gone, children))
    assert sum(isinstance(each.exception(), LostTaskError) for each in futures[:2]) == 2
    assert all(each.cancelled() for each in futures[2:])


def test_a_stopped_job_begins_no_more_pieces(executor: Executor, tmp_path: Path) -> None:
    """Cancelled, or fenced off by another attempt: what waits is dropped."""
    seen: list[int] = []
    pieces = [Slice(n, seconds=0.1) for n in range(100)]

    found = results(
        executor, noted, pieces, str(tmp_path), is_stopped=lambda: len(seen) == 3, ahead=20
    )
    with pytest.raises(StoppedError):
        seen.extend(found)
    list(results(executor, who, [Slice(n) for n in range(4)]))  # after whatever still ran

    assert seen == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) < 20


def test_a_job_can_be_stopped_while_a_piece_takes_long(executor: Executor, tmp_path: Path) -> None:
    """It does not have to wait for the piece."""
    begun = time.monotonic()

    with pytest.raises(StoppedError):
        list(
            results(
                executor,
                noted,
                [Slice(0, seconds=3)],
                str(tmp_path),
                is_stopped=lambda: time.monotonic() > begun + 0.5,
            )
        )

    assert time.monotonic() - begun < 2


def test_signals_to_the_group_do_not_end_children(executor: Executor) -> None:
    """Ctrl-C and systemd send them to everybody; the worker decides what is finished."""
    before = set(results(executor, who, [Slice(n) for n in range(8)]))
    for pid in before:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    time.sleep(0.2)

    assert len(list(results(executor, who, [Slice(n) for n in range(8)]))) == 8
    assert not any(map(is_gone, before))


def test_children_are_replaced_after_so_many_pieces() -> None:
    """Whatever a library keeps of what it has seen goes with them."""
    children = Children(1, tasks_each=3)
    try:
        pids = list(results(children, who, [Slice(n) for n in range(7)]))
    finally:
        children.end()

    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


def test_errors_fly_as_they_are(executor: Executor) -> None:
    """So that a worker can tell S3's bad hour; what goes through no pipe still has a name."""
    with pytest.raises(ObjectReadError, match="S3 could not be read: TimeoutError") as s3:
        list(results(executor, failing, [Slice(0)]))
    with pytest.raises(RuntimeError, match="AwkwardError"):
        list(results(executor, failing, [Slice(1)]))

    assert any("in failing" in note for note in s3.value.__notes__)
    assert len(list(results(executor, who, [Slice(0)]))) == 1


def test_children_log_without_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    """As the worker does: one JSON object a line."""
    with open_executor(1, None, log_level="warning", secrets=["hush-hush-hush"]) as executor:
        list(results(executor, logging_it, [Slice(0, secret="hush-hush-hush")]))

    line = json.loads(capfd.readouterr().err)
    assert (line["event"], line["level"]) == ("the secret is [hidden]", "error")


def test_a_scheduler_without_dask_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, not when the first job runs."""
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(DaskMissingError, match=r"upload-coordinator\[dask\]"):
        open_executor(2, "tcp://127.0.0.1:8786").__enter__()


def test_a_child_that_has_nothing_to_do_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one kind of job has loaded would take the memory of the next."""
    monkeypatch.setattr(child_processes, "_IDLE_SECONDS", 0.2)
    with open_executor(1, None) as executor:
        first = executor.submit(who, Slice(0)).result()
        until(lambda: is_gone(first))

        assert executor.submit(who, Slice(0)).result() != first
