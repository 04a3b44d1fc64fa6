"""Compares a local file with a manifest, streaming."""

import os
import threading
from typing import Final

from coordinator.sdk.progress import Listener, Meter
from coordinator.sdk.source import LocalFile
from manifests import FileCheck, Manifest, Verdict

_STEP: Final = 64 * 1024 * 1024


def check_file(
    path: str | os.PathLike[str],
    manifest: Manifest,
    *,
    listener: Listener | None = None,
    stop: threading.Event | None = None,
) -> Verdict:
    """Return how the file at ``path`` compares with ``manifest``.

    Raises:
        NotAFileError: there is no regular file.
        FileChangedError: it changed while it was read.
        StoppedError: the caller ended it.

    """
    file = LocalFile(path)
    check = FileCheck(manifest)
    meter = Meter(bytes_total=file.size_bytes, chunks_total=manifest.chunk_count)
    for offset in range(0, file.size_bytes, _STEP):
        length = min(_STEP, file.size_bytes - offset)
        for block in file.blocks(offset, length, stop):
            check.feed(block)
        meter.moved(0, length)
        meter.stage = "verifying"
        if listener is not None:
            listener(meter.look())
    return check.verdict()
