"""The local file: read by range, never whole, and refused as soon as it is another one."""

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from coordinator.sdk.errors import FileChangedError, NotAFileError, StoppedError

_HASH_BLOCK: Final = 1024 * 1024
# The writer below us copies what a send left over, so larger blocks cost more than they save.
_SEND_BLOCK: Final = 256 * 1024


class LocalFile:
    """A file as it was found: the same path with another size or time is a changed file.

    Raises:
        NotAFileError: there is no regular file at ``path``.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.path = Path(path).resolve()
            found = self.path.stat()
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "no valid path"
            raise NotAFileError(f"{os.fspath(path)}: {reason}.") from exc
        if not stat.S_ISREG(found.st_mode):
            raise NotAFileError(f"{os.fspath(path)}: not a regular file.")
        self.size_bytes = found.st_size
        self.mtime_ns = found.st_mtime_ns

    def check_unchanged(self) -> None:
        """Look at size and time again.

        Raises:
            FileChangedError: one of them differs, or the file is gone.

        """
        self._open().close()

    def digest(self, offset: int, length: int, stop: threading.Event) -> bytes:
        """Return the sha256 of ``length`` bytes from ``offset``.

        Raises:
            FileChangedError: they are not all there any more.
            StoppedError: the caller ended it.

        """
        hasher = hashlib.sha256()
        buffer = memoryview(bytearray(min(_HASH_BLOCK, length)))
        with self._open() as file:
            file.seek(offset)
            while length:
                if stop.is_set():
                    raise StoppedError
                count = self._read(file, buffer[: min(length, len(buffer))])
                hasher.update(buffer[:count])
                length -= count
        return hasher.digest()

    def blocks(
        self, offset: int, length: int, stop: threading.Event | None = None
    ) -> Iterator[bytes]:
        """Yield ``length`` bytes from ``offset`` in blocks.

        Raises:
            FileChangedError: they are not all there any more.
            StoppedError: the caller ended it.

        """
        with self._open() as file:
            file.seek(offset)
            while length:
                if stop is not None and stop.is_set():
                    raise StoppedError
                block = file.read(min(_SEND_BLOCK, length))
                if not block:
                    raise self._changed()
                length -= len(block)
                yield block

    def _open(self) -> BinaryIO:
        # One descriptor for each reader: offsets are not shared, on Windows either.
        try:
            file = self.path.open("rb", buffering=0)
        except FileNotFoundError as exc:
            raise self._changed() from exc
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.mtime_ns):
            file.close()
            raise self._changed()
        return file

    def _read(self, file: BinaryIO, buffer: memoryview) -> int:
        count: int = file.readinto(buffer)  # type: ignore[attr-defined]  # a raw file has it
        if not count:
            raise self._changed()
        return count

    def _changed(self) -> FileChangedError:
        return FileChangedError(
            f"{self.path.name} changed while it was being uploaded; start a new upload."
        )
