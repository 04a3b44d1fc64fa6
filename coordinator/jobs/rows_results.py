"""What reading rows gives: rows, broken ones among them, or the reason why there are none."""

from typing import Any, Final, NamedTuple

# A line, value or row of this many bytes or more stands for nothing but its place.
LONGEST_ROW: Final = 8 * 1024 * 1024

# So much is read or unpacked at once.
BLOCK: Final = 1024 * 1024


class Row(NamedTuple):
    """A row that could be read."""

    number: int
    """Its place in the piece, from 0 on. Broken rows have places, blank lines have none."""

    value: Any
    """A dict for tables, str for text. JSON can hold it."""


class Broken(NamedTuple):
    """A row that could not be read."""

    number: int
    reason: str
    """A stable code: ``not-json not-an-object row-too-long wrong-encoding columns-differ``."""

    detail: str
    """A sentence for people, without anything out of the row."""


class NotRowsError(ValueError):
    """The object, or what is left of it, has no rows that can be read.

    ``reason`` is a stable code: ``empty not-a-table compression-not-read damaged
    unpacks-too-large claims-too-much``. ``detail`` is a sentence.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)  # both, so that it can be sent between processes
        self.reason = reason
        self.detail = detail


def too_long(number: int) -> Broken:
    """Stand for a row that was not read to its end."""
    return Broken(number, "row-too-long", f"The row has {LONGEST_ROW} bytes or more.")


def wrongly_encoded(number: int, encoding: str | None) -> Broken:
    """Stand for a row that holds bytes its encoding does not know."""
    return Broken(number, "wrong-encoding", f"The row is not valid {encoding or 'utf-8'}.")
