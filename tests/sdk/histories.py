"""What befalls uploads and files, as steps of tests."""

import os
import threading
from pathlib import Path

import pytest

from coordinator.sdk import Client, Progress, StoppedError
from tests.sdk.meddler import Meddler

CHUNK = 5 * 1024 * 1024


def interrupt(
    client: Client, meddler: Meddler, path: Path, *, after: int, resume: str | None = None
) -> str:
    """Upload until so many chunks have arrived, and return the upload's id."""
    stop = threading.Event()
    found: list[str] = []
    meddler.pause_s = 0.3

    def watch(progress: Progress) -> None:
        found.append(progress.upload_id or "")
        if progress.chunks_done >= after:
            stop.set()

    with pytest.raises(StoppedError):
        client.upload(
            path, chunk_size=CHUNK, concurrency=1, progress=watch, stop=stop, resume=resume
        )
    meddler.pause_s = 0
    return found[-1]


def change(path: Path, *, at: int, keep_time: bool) -> None:
    """Flip a bit of the file, and with ``keep_time`` hide it from who looks at times only."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    if keep_time:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
