"""The first look at every row: what it holds, and a hash that says whether two are the same."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from coordinator.jobs.pieces import Piece
from coordinator.jobs.rows import Broken, Row, rows
from coordinator.jobs.training_notes import Notes, UnfitRowError

DIGEST_BYTES: Final = 16

# Of a row that is broken; no good row has it.
NO_DIGEST: Final = bytes(DIGEST_BYTES)

# So many rows are surveyed at once, and so many at most by somebody else.
_AT_ONCE: Final = 65_536
_AFAR: Final = 16 * _AT_ONCE

_WRITTEN: Final = frozenset({"csv", "tsv"})


class Survey(msgspec.Struct):
    """What was found of some rows that follow each other."""

    notes: Notes = msgspec.field(default_factory=Notes)
    digests: bytes = b""
    """Of each row, broken ones too, in order."""

    size: int = 0
    """Bytes of the good rows, canonically spelled."""

    broken: dict[str, int] = {}
    """Broken rows by reason."""

    is_partial: bool = False
    """There are more rows than are surveyed afar."""

    def add(self, more: "Survey") -> None:
        """Take in the rows behind these."""
        self.notes.add(more.notes)
        self.digests += more.digests
        self.size += more.size
        for reason, count in more.broken.items():
            self.broken[reason] = self.broken.get(reason, 0) + count


def survey(piece: Piece, key: bytes) -> Survey:
    """Survey a piece, if it is not too long for a result to be sent."""
    total = Survey()
    for part in surveyed(piece, key):
        total.add(part)
        if len(total.digests) > _AFAR * DIGEST_BYTES:
            return Survey(is_partial=True)
    return total


def surveyed(piece: Piece, key: bytes) -> Iterator[Survey]:
    """Survey a piece part by part, of whatever length. ``key`` is the hash's.

    Raises:
        NotRowsError: the piece has no rows, or no more of them can be read.
        ObjectReadError: S3 could not be read.

    """
    part, note, digests = _begun(piece)
    start = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)
    for found in rows(piece):
        try:
            spelled = _spelled(found, note)
        except UnfitRowError as exc:
            part.broken[exc.reason] = part.broken.get(exc.reason, 0) + 1
            digests.append(NO_DIGEST)
        else:
            part.size += len(spelled)
            hashing = start.copy()
            hashing.update(spelled)
            digests.append(hashing.digest())
        # A row may take a hundred megabytes: it goes before the next is read.
        del found
        if len(digests) == _AT_ONCE:
            part.digests = b"".join(digests)
            yield part
            part, note, digests = _begun(piece)
    part.digests = b"".join(digests)
    yield part


def record(value: Any) -> dict[str, Any]:
    """Return a row as a table has it: a line of text is the column ``text``."""
    return {"text": value} if type(value) is str else value


def _begun(piece: Piece) -> tuple[Survey, Callable[[dict[str, Any]], bytes], list[bytes]]:
    part = Survey()
    is_written = piece.detected.format in _WRITTEN
    return part, part.notes.note_written if is_written else part.notes.note, []


def _spelled(found: Row | Broken, note: Callable[[dict[str, Any]], bytes]) -> bytes:
    if isinstance(found, Broken):
        raise UnfitRowError(found.reason)
    return note(record(found.value))
