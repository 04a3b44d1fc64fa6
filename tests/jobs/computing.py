"""What the tests of executors compute, importable by their children and by Dask's workers."""

import hashlib
import logging
import os
import signal
import time
from pathlib import Path

import msgspec
from typing_extensions import override

from coordinator.jobs.object_reader import ObjectReadError


class Slice(msgspec.Struct, frozen=True):
    """A piece: so many bytes that follow from its number."""

    number: int
    size: int = 1_000
    seconds: float = 0.0
    secret: str = ""

    @override
    def __repr__(self) -> str:
        return f"Slice({self.number})"


class Digest(msgspec.Struct, frozen=True):
    """What comes of a slice, in types that JSON does not have."""

    number: int
    sha256: bytes
    mean: float
    labels: tuple[str, ...]


def digest(piece: Slice, salt: str) -> Digest:
    """Compute what follows from the slice alone."""
    time.sleep(piece.seconds)
    content = hashlib.shake_256(f"{salt}{piece.number}".encode()).digest(piece.size)
    mean = sum(content) / len(content)
    return Digest(piece.number, hashlib.sha256(content).digest(), mean, ("ü", str(piece.number)))


def noted(piece: Slice, folder: str) -> int:
    """Leave a file that tells that the slice was computed."""
    Path(folder, str(piece.number)).touch()
    time.sleep(piece.seconds)
    return piece.number


def who(_piece: Slice) -> int:
    """Tell the process."""
    return os.getpid()


def told(piece: Slice, folder: str) -> int:
    """Tell the process by a file, then be busy for long."""
    Path(folder, f"{os.getpid()}").touch()
    time.sleep(piece.seconds)
    return os.getpid()


def deadly(piece: Slice, doomed: int) -> int:
    """Die as by the system's out-of-memory killer."""
    if piece.number == doomed:
        os.kill(os.getpid(), signal.SIGKILL)
    return piece.number


class AwkwardError(Exception):
    """It cannot be made anew from its arguments."""

    def __init__(self, *, what: str) -> None:
        super().__init__(f"awkward: {what}")


def failing(piece: Slice) -> int:
    """Fail as S3 does, or awkwardly."""
    if piece.number:
        raise AwkwardError(what="words")
    raise ObjectReadError("S3 could not be read: TimeoutError.")


def logging_it(piece: Slice) -> int:
    """Log what nobody should."""
    logging.getLogger("computing").error("the secret is %s", piece.secret)
    return piece.number
