"""Files of one job that are made one after the other: an attempt goes on where the last one ended.

Each is kept with a note once S3 has it, as pieces are. Those from the first on that are still there
are not made again.
"""

from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

import msgspec

from coordinator.adapters.object_writing import Stored
from coordinator.jobs.host import Host


class Written(msgspec.Struct, frozen=True, rename="camel"):
    """An artifact, as results name it."""

    path: str
    size: int
    sha256: str
    root: str
    media_type: str
    key: str

    def stored(self) -> Stored:
        """Return what S3 holds."""
        return Stored(self.key, self.size, self.root, bytes.fromhex(self.sha256), self.media_type)


_N = TypeVar("_N", bound=msgspec.Struct)


class Kept(NamedTuple, Generic[_N]):
    """A file that is there, and what was noted of it."""

    written: Written
    note: _N


class Series(Generic[_N]):
    """The files of a series, by the name of whatever decides their bytes."""

    def __init__(self, host: Host, name: bytes, note: type[_N], written: list[Stored]) -> None:
        self._host = host
        self._name = name
        self._decoder = msgspec.json.Decoder(tuple[Written, note])  # type: ignore[valid-type] # a type at run time
        self._written = written
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def found(self) -> Iterator[Kept[_N]]:
        """Yield what attempts before this one have made: artifacts of this one, too."""
        kept = self._host.kept(self._name)
        while (body := kept.get(self._count)) is not None:
            file = self._read(body)
            if file is None or not self._host.holds(file.written.stored()):
                return
            self._count += 1
            self._written.append(file.written.stored())
            yield file

    def keep(self, written: Written, note: _N) -> None:
        """Keep the next one, which S3 has."""
        self._host.keep(self._name, self._count, msgspec.json.encode((written, note)))
        self._count += 1

    def _read(self, body: bytes) -> Kept[_N] | None:
        try:
            return Kept(*self._decoder.decode(body))
        except msgspec.DecodeError:  # another release has written it
            return None
