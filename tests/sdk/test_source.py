"""Reading the local file."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from coordinator.sdk.errors import FileChangedError, NotAFileError, StoppedError
from coordinator.sdk.source import LocalFile


def test_ranges_are_hashed_and_read_as_they_are(tmp_path: Path) -> None:
    """Over block borders, at the end, and nothing at all."""
    data = os.urandom(3 * 1024 * 1024 + 7)
    path = tmp_path / "data"
    path.write_bytes(data)
    file = LocalFile(path)

    for offset, length in [(0, len(data)), (5, 2 * 1024 * 1024), (len(data) - 1, 1), (9, 0)]:
        expected = data[offset : offset + length]
        digest = file.digest(offset, length, threading.Event())
        assert digest == hashlib.sha256(expected).digest()
        assert b"".join(file.blocks(offset, length)) == expected


@pytest.mark.parametrize("change", ["append", "truncate", "touch", "unlink", "replace"])
def test_a_file_that_changed_is_not_read_on(tmp_path: Path, change: str) -> None:
    """Half of the old and half of the new file would be a file that never was."""
    path = tmp_path / "data"
    path.write_bytes(b"12345")
    file = LocalFile(path)
    file.check_unchanged()

    match change:
        case "append":
            path.write_bytes(b"123456")
        case "truncate":
            os.truncate(path, 1)
        case "touch":
            os.utime(path, ns=(file.mtime_ns + 1, file.mtime_ns + 1))
        case "unlink":
            path.unlink()
        case _:
            (tmp_path / "other").write_bytes(b"54321")
            (tmp_path / "other").replace(path)

    with pytest.raises(FileChangedError):
        file.check_unchanged()
    with pytest.raises(FileChangedError):
        list(file.blocks(0, 5))
    with pytest.raises(FileChangedError):
        file.digest(0, 5, threading.Event())


def test_only_regular_files_are_accepted(tmp_path: Path) -> None:
    """A pipe has no size and would block for ever."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none", "/dev/null", "a\0b"):
        with pytest.raises(NotAFileError):
            LocalFile(path)


def test_a_stop_ends_hashing(tmp_path: Path) -> None:
    """Hashing 5 GiB takes seconds; Ctrl-C does not wait for it."""
    (tmp_path / "data").write_bytes(b"1")
    stop = threading.Event()
    stop.set()

    with pytest.raises(StoppedError):
        LocalFile(tmp_path / "data").digest(0, 1, stop)
