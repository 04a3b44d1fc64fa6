"""What the client's commands show: bars on a terminal, plain lines elsewhere, all on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from coordinator.sdk import Event, Listener, PhaseChanged, Pipeline, Progress, Progressed

_LINE_EVERY_S: Final = 5.0
_DAY_S: Final = 86_400


def printable(text: str) -> str:
    r"""Replace what could move the cursor or forge a line.

    >>> printable("a\x1b[2Jb")
    'a?[2Jb'
    """
    return "".join(each if each.isprintable() else "?" for each in text)


def pace(progress: Progress) -> str:
    """Say rate and remaining time.

    >>> pace(Progress(stage="sending", bytes_done=0, bytes_total=120, bytes_per_second=2.0))
    '2 bytes/s, 0:01:00 left'
    """
    if progress.stage == "completing":
        return "completing"
    if progress.stage == "hashing" or progress.remaining_s is None:
        return progress.stage
    rate = f"{decimal(round(progress.bytes_per_second))}/s"
    if progress.remaining_s > _DAY_S:
        return f"{rate}, more than a day left"
    return f"{rate}, {timedelta(seconds=round(progress.remaining_s))} left"


def event_kind(event: Event) -> str:
    """Name the event as the stream does."""
    match event:
        case Progressed():
            return "progress"
        case PhaseChanged():
            return "phase"
        case Pipeline():
            return "jobs"


def event_line(event: Event) -> str:
    """Say in a line what an event of an upload tells.

    >>> event_line(PhaseChanged(status="FAILED", reason="expired"))
    'phase     FAILED (expired)'
    """
    match event:
        case Progressed():
            told = f"{event.uploaded} of {event.total} chunks, {event.percentage}%"
        case PhaseChanged():
            told = f"{event.status} ({event.reason})" if event.reason else event.status
        case Pipeline():
            told = ", ".join(f"{job.kind}: {job.status}" for job in event.jobs) or event.status
    return f"{event_kind(event):<8}  {printable(told)}"


def event_failed(event: Event) -> bool:
    """Whether it says that the upload or one of its jobs has failed.

    >>> event_failed(PhaseChanged(status="ASSEMBLING")), event_failed(Pipeline(status="failed"))
    (False, True)
    """
    if isinstance(event, Progressed):
        return False
    return event.status in {"FAILED", "failed"}


class Watch:
    """A listener that shows each look, and remembers the upload's id for who interrupts it."""

    def __init__(self, show: Listener) -> None:
        self._show = show
        self.upload_id: str | None = None

    def __call__(self, progress: Progress) -> None:
        """Take one look."""
        self.upload_id = progress.upload_id or self.upload_id
        self._show(progress)


@contextmanager
def watching(name: str) -> Iterator[Watch]:
    """Show the progress of one file until the block ends."""
    if sys.stderr.isatty():
        with _bars() as bars:
            task = bars.add_task(printable(name), total=None, pace="", size="")
            yield Watch(lambda progress: _draw(bars, task, progress))
    else:
        yield Watch(_Lines(name))


def _bars() -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[size]}"),
        TextColumn("{task.fields[pace]}"),
        console=Console(stderr=True),
    )


def _draw(bars: Bars, task: TaskID, progress: Progress) -> None:
    bars.update(
        task,
        total=progress.bytes_total or 1,
        completed=progress.bytes_done if progress.bytes_total else 1,
        size=f"{decimal(progress.bytes_done)}/{decimal(progress.bytes_total)}",
        pace=pace(progress),
    )


class _Lines:
    """A line now and then, for logs."""

    def __init__(self, name: str) -> None:
        self._name = printable(name)
        self._at = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._at < _LINE_EVERY_S:
            return
        self._at = now
        done = f"{100 * progress.fraction:.0f}% of {decimal(progress.bytes_total)}"
        sys.stderr.write(f"{self._name}: {done}, {pace(progress)}\n")
        sys.stderr.flush()
