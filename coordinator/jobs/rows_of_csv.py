"""Rows of csv and tsv files, whose first row names the columns."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader, TextIOWrapper
from itertools import chain

from coordinator.jobs.detect import HEAD_BYTES, Detected, delimiter_of
from coordinator.jobs.rows_results import BLOCK, LONGEST_ROW, Broken, Row, too_long, wrongly_encoded
from coordinator.jobs.unpacking import LENIENT, NO_CHARACTER, BlockFile

# For the whole process. Below, a row is cut off before any field of it gets as long.
csv.field_size_limit(2 * LONGEST_ROW)


def csv_rows(blocks: Iterable[bytes], detected: Detected) -> Iterator[Row | Broken]:
    """Read each row behind the first. Blank lines are no rows, empty fields are ``None``."""
    head, blocks = _begun(blocks)
    encoding = detected.encoding or "utf-8"
    text = head.decode(encoding, "replace")
    delimiter = "\t" if detected.format == "tsv" else delimiter_of(text)
    lines = _Lines(chain((head,), blocks), encoding)
    fields = _fields(lines, csv.reader(lines, delimiter=delimiter))
    names = _names(next(fields, ()))
    for number, found in enumerate(fields):
        if found is None:
            yield too_long(number)
        elif lines.is_damaged:
            yield wrongly_encoded(number, encoding)
        elif len(found) != len(names):
            detail = f"The row has {len(found)} fields, the first row {len(names)}."
            yield Broken(number, "columns-differ", detail)
        else:
            yield Row(
                number, {name: field or None for name, field in zip(names, found, strict=True)}
            )


def _begun(blocks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    iterator = iter(blocks)
    head = b""
    for block in iterator:
        head += block
        if len(head) >= HEAD_BYTES:
            break
    return head, iterator


def _fields(lines: "_Lines", reader: Iterator[list[str]]) -> Iterator[Sequence[str] | None]:
    """Yield the fields of each row, ``None`` for one that is too long."""
    while True:
        lines.start_row()
        try:
            found = next(reader, None)
        except (_RowTooLongError, csv.Error):
            # The reader forgets what it has of the row, and begins anew with the next line.
            yield None
            continue
        if found is None:
            return
        if found:
            yield found


def _names(header: Sequence[str] | None) -> list[str]:
    """Name the columns: of two equal names the second gets ``_1``, a nameless one its place."""
    names: dict[str, None] = {}
    for place, field in enumerate(header or ()):
        name = wanted = field.replace(NO_CHARACTER, "\ufffd") or f"column{place}"
        again = 0
        while name in names:
            again += 1
            name = f"{wanted}_{again}"
        names[name] = None
    return list(names)


class _RowTooLongError(Exception):
    pass


class _Lines:
    """Physical lines with their ends, as ``csv.reader`` wants them; no row gets too long.

    Sizes are counted in characters: that is what memory is taken for.
    """

    def __init__(self, blocks: Iterable[bytes], encoding: str) -> None:
        # Untranslated line ends, since those inside quotes are content.
        file = BufferedReader(BlockFile(blocks), BLOCK)
        self._file = TextIOWrapper(file, encoding, errors=LENIENT, newline="")
        self._size = 0
        self._is_first = True
        self.is_damaged = False

    def start_row(self) -> None:
        self._size = 0
        self.is_damaged = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_ROW)
        if self._is_first:
            self._is_first = False
            line = line.removeprefix("\ufeff")
        if not line:
            raise StopIteration
        self._size += len(line)
        if not line.isascii() and NO_CHARACTER in line:
            self.is_damaged = True
        if self._size >= LONGEST_ROW:
            self._skip_rest(line)
            raise _RowTooLongError
        return line

    def _skip_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._file.readline(BLOCK)
