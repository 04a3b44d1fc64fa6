"""What memory the jobs take of a file of 100 MB and of one of 2 GB, in a worker as it comes.

The worker with its child processes is looked at while its jobs run, one at a time. Shared pages
count once (PSS, proc(5)). Every size has a worker of its own, which has seen nothing before.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import httpx
import msgspec

from coordinator.cli.local import Local, running_locally
from coordinator.sdk import Client
from tests.benchmarks.measuring import Row

_MB: Final = 1000 * 1000
_SMALL: Final = 100 * _MB
_LARGE: Final = 2000 * _MB
_RATIO: Final = 1.25
_MIB: Final = 512
_LOOK_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 1_800.0
_KINDS: Final = ("validate_schema", "scan_pii", "generate_metadata", "prepare_training_dataset")
_METADATA: Final[dict[str, Any]] = {
    "schema": {"type": "object", "required": ["id", "text"]},
    "jobs": {"scan_pii": {"policy": "redact"}, "prepare_training_dataset": {"dedupe": True}},
}
_CHANGES: Final = {"COORDINATOR_WORKER_CONCURRENCY": "1"}


class Peak(msgspec.Struct):
    """The most that was seen at once, in MiB."""

    together: float = 0.0  # of the worker and its children, also of those that the job before left
    largest: float = 0.0  # of one of them


def measure() -> list[Row]:
    """Return rows for each kind: whether it grows with the file, and how much it is."""
    small, large = (_peaks(size) for size in (_SMALL, _LARGE))
    return [
        row
        for kind in _KINDS
        for row in (
            Row(
                f"{kind}: memory at 2 GB / at 100 MB",
                large[kind].together / small[kind].together,
                at_most=_RATIO,
            ),
            Row(f"{kind}: MiB at 2 GB, largest process", large[kind].largest, at_most=_MIB),
            Row(f"{kind}: MiB at 2 GB, worker and children", large[kind].together),
        )
    ]


def _peaks(size: int) -> dict[str, Peak]:
    """Upload a file and return the most memory of the worker while each kind ran, in MiB."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        path = Path(folder) / "rows.jsonl"
        _write(path, size)
        with running_locally(Path(folder) / "home", changes=_CHANGES) as local:
            with Client(local.url, local.api_key) as client:
                handle = client.upload(path, "training", metadata=_METADATA)
            path.unlink()
            return _watched(local, handle.upload_id)


def _watched(local: Local, upload_id: str) -> dict[str, Peak]:
    pid = local.keeper.pid("worker")
    assert pid is not None
    peaks = {kind: Peak() for kind in _KINDS}
    running: dict[str, str] = {}
    deadline = time.monotonic() + _LONGEST_SECONDS
    headers = {"Authorization": f"Bearer {local.api_key}"}
    with _Sampling(pid, lambda each: _note(peaks, running, each)):
        while True:
            url = f"{local.url}/api/uploads/{upload_id}/jobs"
            jobs = httpx.get(url, headers=headers).json()["jobs"]
            now = [job["kind"] for job in jobs if job["status"] == "running"]
            assert len(now) <= 1
            running["kind"] = now[0] if now else ""
            if all(job["status"] in {"succeeded", "failed", "skipped"} for job in jobs):
                break
            assert time.monotonic() < deadline
            time.sleep(_LOOK_SECONDS)
    ended = {job["kind"]: job["status"] for job in jobs}
    assert [ended[kind] for kind in _KINDS] == ["succeeded"] * len(_KINDS), ended
    return peaks


def _note(peaks: dict[str, Peak], running: dict[str, str], each: list[float]) -> None:
    peak = peaks.get(running.get("kind", ""))
    if peak is not None:
        peak.together = max(peak.together, sum(each))
        peak.largest = max(peak.largest, *each)


class _Sampling:
    """Tell the memory of a process and its children, again and again, until the block ends."""

    def __init__(self, pid: int, told: Callable[[list[float]], None]) -> None:
        self._ended = Event()
        self._thread = Thread(target=self._look, args=(pid, told))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self, pid: int, told: Callable[[list[float]], None]) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            told([_pss(each) / 1024 for each in _tree(pid)])


def _tree(pid: int) -> set[int]:
    """Return the process and all that descend from it."""
    found, parents = {pid}, dict(_parents())
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may have ended
            # The name before these stands in brackets, and may hold anything: proc(5).
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])


def _pss(pid: int) -> int:
    """Return KiB. A child may have ended since it was listed."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _write(path: Path, size: int) -> None:
    rng, written, number = random.Random(1), 0, 0
    words = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "near", "some")
    texts = [" ".join(rng.choices(words, k=30)) for _ in range(10_007)]
    with path.open("wb") as file:
        while written < size:
            who = f"u{number}@mail.example.com" if number % 10 == 0 else "nobody"
            line = f'{{"id": {number}, "text": "{texts[number % 10_007]}", "from": "{who}"}}\n'
            written += file.write(line.encode())
            number += 1
