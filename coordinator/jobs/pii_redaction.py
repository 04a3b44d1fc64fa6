"""Makes the redacted copy of an object: the same rows, and a placeholder for each finding.

Lines in which nothing was found stay as they are, byte for byte. In others JSON is written anew:
the same values, perhaps with other spaces. A row that could not be judged is left out.
"""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

import msgspec

from coordinator.domain.names import key_name
from coordinator.jobs.detect import Detected
from coordinator.jobs.pieces import Piece
from coordinator.jobs.pii_finding import Finder, finder
from coordinator.jobs.pii_rows import LINES, NO_COLUMN, Judged, judged_line, judged_rows, redacted
from coordinator.jobs.pii_values import inner, renamed, replaced
from coordinator.jobs.rows import NotRowsError, blocks

_BLOCK: Final = 1024 * 1024
_PACKED: Final = frozenset({".gz", ".gzip", ".zst", ".zstd"})
_MEDIA_TYPES: Final = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "text": "text/plain",
}
_DELIMITERS: Final = {"csv": ",", "tsv": "\t"}


class Copy(NamedTuple):
    """What the copy of a file is."""

    format: str
    file_name: str
    media_type: str


def copy_of(detected: Detected, file_name: str) -> Copy:
    """Say what becomes of a file: parquet and JSON documents become JSON lines, nothing is packed.

    >>> copy_of(Detected(format="parquet", basis="magic"), "a.parquet").file_name
    'a.jsonl'
    >>> copy_of(Detected(format="csv", compression="gzip", basis="name"), "a.csv.gz").file_name
    'a.csv'

    """
    name = PurePosixPath(key_name(file_name))
    if name.suffix.lower() in _PACKED:
        name = name.with_suffix("")
    form = detected.format if detected.format in _MEDIA_TYPES else "jsonl"
    if form != detected.format:
        name = name.with_suffix(".jsonl")
    return Copy(form, str(name), _MEDIA_TYPES[form])


def redact_piece(piece: Piece, chosen: tuple[str, ...], regions: tuple[str, ...]) -> bytes:
    """Return a piece of lines, redacted."""
    return b"".join(redacted_blocks(piece, chosen, regions))


def redacted_blocks(
    piece: Piece, chosen: tuple[str, ...], regions: tuple[str, ...]
) -> Iterator[bytes]:
    """Yield a piece, redacted, as far as it can be read."""
    look = finder(chosen, regions)
    form = piece.detected.format
    if form in LINES:
        rows: Iterable[bytes] = _lines(piece, look)
    elif form in _DELIMITERS:
        rows = _table(judged_rows(piece, chosen, regions), look, _DELIMITERS[form])
    else:
        rows = _documents(judged_rows(piece, chosen, regions), look, is_table=form == "parquet")
    yield from _gathered(rows)


def _gathered(rows: Iterable[bytes]) -> Iterator[bytes]:
    block = bytearray()
    try:
        for row in rows:
            block += row
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
    except NotRowsError:
        pass  # the scan has told so, and what follows was not judged
    yield bytes(block)


def _lines(piece: Piece, look: Finder) -> Iterator[bytes]:
    form = piece.detected.format
    for batch in blocks(piece):
        for line in batch:
            if form == "jsonl" and (not line or line.isspace()):
                yield line + b"\n"
                continue
            row = judged_line(look, 0, line, form)
            if not row.is_judged:
                continue
            yield (_line(row, line, look) if row.hits else line) + b"\n"


def _line(row: Judged, line: bytes, look: Finder) -> bytes:
    if not isinstance(row.value, str):
        try:
            return msgspec.json.encode(_without(row, look, is_table=False))
        except (RecursionError, msgspec.EncodeError, UnicodeEncodeError):
            # Too deep to be written anew; its text can be.
            return _text(line.decode("utf-8", "surrogateescape"), look)
    return _text(row.value, look)


def _text(text: str, look: Finder) -> bytes:
    return redacted(look, text, NO_COLUMN).encode("utf-8", "surrogateescape")


def _documents(rows: Iterable[Judged], look: Finder, *, is_table: bool) -> Iterator[bytes]:
    names: list[str] | None = None
    for row in rows:
        if row.number < 0 or not row.is_judged:
            continue
        value = _without(row, look, is_table=is_table) if row.hits else row.value
        if is_table:
            names = names or _header(row.value, look)
            value = dict(zip(names, value.values(), strict=True))
        yield msgspec.json.encode(value) + b"\n"


def _table(rows: Iterable[Judged], look: Finder, delimiter: str) -> Iterator[bytes]:
    out = StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    is_first = True
    for row in rows:
        if row.number < 0 or not row.is_judged:
            continue
        if is_first:
            is_first = False
            writer.writerow(_header(row.value, look))
        writer.writerow(_without(row, look, is_table=True).values())
        yield out.getvalue().encode("utf-8", "surrogatepass")
        out.seek(0)
        out.truncate()


def _header(value: dict[str, Any], look: Finder) -> list[str]:
    columns = [inner("", key, is_top=True) for key in value]
    return renamed(value, columns, lambda text, column: redacted(look, text, column))


def _without(row: Judged, look: Finder, *, is_table: bool) -> Any:
    """Return the row's value without what was found in its columns."""
    columns = {hit.column for hit in row.hits}

    def without(text: str, column: str) -> str:
        return redacted(look, text, column) if column in columns else text

    return replaced(row.value, without, is_table=is_table)
