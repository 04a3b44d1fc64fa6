"""Scans the rows of one piece and counts what is found. It runs wherever pieces run.

Lines are looked at as they are; only those in which something may stand are judged by their values.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from coordinator.domain.pii_kinds import placeholder
from coordinator.jobs.pieces import Piece
from coordinator.jobs.pii_finding import Finder, Finding, finder
from coordinator.jobs.pii_masking import masked
from coordinator.jobs.pii_patterns import PLAIN, Seen
from coordinator.jobs.pii_values import Text, texts, unhidden, with_all_members
from coordinator.jobs.rows import Broken, NotRowsError, Row, blocks, is_too_long, rows
from coordinator.jobs.rows_of_lines import json_row

SAMPLES: Final = 20
LINES: Final = frozenset({"jsonl", "text"})

# A file may use ids as keys: then every row has columns of its own.
MAX_COLUMNS: Final = 200
OTHER_COLUMNS: Final = "(other columns)"
_LABEL: Final = 200

# Of a row that no parser reads, and of a text, there is only the whole.
NO_COLUMN: Final = ""


class Scanned(msgspec.Struct):
    """What one piece holds."""

    rows: int = 0
    broken: int = 0
    unjudged: int = 0
    """Broken ones that were not judged: nothing but their place is known."""

    with_findings: int = 0
    counts: dict[str, dict[str, int]] = {}
    """By kind and column."""

    samples: dict[str, list[tuple[int, str, str]]] = {}
    """By kind the first: row (-1: the header), column, masked value."""

    failure: tuple[str, str] | None = None
    """Why reading ended before the piece did: reason and detail."""


class Hit(NamedTuple):
    """A text in which something was found."""

    column: str
    text: str
    findings: list[Finding]


class Judged(NamedTuple):
    """A row, and what was found in it."""

    number: int
    hits: list[Hit]
    broken: str | None = None
    is_judged: bool = True
    value: Any = None
    """Of a row in which something was found, or of no line: what was parsed."""


def scan_piece(piece: Piece, chosen: tuple[str, ...], regions: tuple[str, ...]) -> Scanned:
    """Scan a piece."""
    found = Scanned(counts={}, samples={})
    labels = Labels(finder(chosen, regions))
    try:
        for row in judged_rows(piece, chosen, regions):
            _count(found, row, labels)
    except NotRowsError as exc:
        found.failure = (exc.reason, exc.detail)
    return found


def judged_rows(
    piece: Piece, chosen: tuple[str, ...], regions: tuple[str, ...]
) -> Iterator[Judged]:
    """Yield every row of a piece with what was found in it; before a table's first its header.

    Raises:
        NotRowsError: it has no rows, or no more of them can be read.
        ObjectReadError: S3 could not be read.

    """
    look = finder(chosen, regions)
    if piece.detected.format in LINES:
        number = 0
        for batch in blocks(piece):
            for line in batch:
                if piece.detected.format == "text" or (line and not line.isspace()):
                    yield judged_line(look, number, line, piece.detected.format)
                    number += 1
        return
    is_table = piece.detected.format != "json"
    is_first = piece.start == 0
    for row in rows(piece):
        if isinstance(row, Broken):
            yield Judged(row.number, [], row.reason, is_judged=False)
            continue
        if is_table and is_first:
            is_first = False
            yield Judged(-1, _hits(look, _names(row.value)))
        found = texts(row.value, is_table=is_table, with_names=not is_table)
        yield Judged(row.number, _hits(look, found), value=row.value)


def judged_line(look: Finder, number: int, line: bytes, form: str) -> Judged:
    """Judge a line as what its format says it is, or as text if it is broken."""
    row = None if form == "text" else json_row(number, line)
    broken = row.reason if isinstance(row, Broken) else None if row else _wrong(line)
    seen = look.prefilter.look(line)
    may_hold = seen.kinds or seen.is_foreign or (seen.is_escaped and form != "text")
    if not may_hold and not look.looks_at_all:
        return Judged(number, [], broken, is_judged=broken != "row-too-long")
    if broken or form == "text":
        text = line_text(line, is_json=form != "text")
        hits = _hits(look, [Text(NO_COLUMN, text, is_key=False)])
        return Judged(number, hits, broken, is_judged=broken != "row-too-long", value=text)
    assert isinstance(row, Row)
    value = with_all_members(row.value, line)
    known = None if seen.is_foreign or seen.is_escaped else seen
    return Judged(number, _hits(look, texts(value), known), value=value)


def _wrong(line: bytes) -> str | None:
    """Say what is wrong with a line of text."""
    if is_too_long(line):
        return "row-too-long"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "wrong-encoding"
    return None


def line_text(line: bytes, *, is_json: bool) -> str:
    """Decode a line so that nothing of it is lost, whatever is in it."""
    text = line.decode("utf-8", "surrogateescape")
    return unhidden(text) if is_json else text


class Labels:
    """Names columns in results: keys may hold what is looked for."""

    def __init__(self, look: Finder) -> None:
        self._look = look
        self._known: dict[str, str] = {}

    def of(self, column: str) -> str:
        """Return the column without what was found in its keys, and cut off where it is long."""
        label = self._known.get(column)
        if label is None:
            label = "/".join(redacted(self._look, part, column) for part in column.split("/"))[
                :_LABEL
            ]
            if len(self._known) < MAX_COLUMNS:
                self._known[column] = label
        return label


def redacted(look: Finder, text: str, column: str) -> str:
    """Replace each finding by its kind, until there is none."""
    # What is left around a placeholder could be taken for something that it was a part of.
    for _ in range(8):
        found = look.find_fully(text, column)
        if not found:
            return text
        for kind, start, end in reversed(found):
            text = f"{text[:start]}{placeholder(kind)}{text[end:]}"
    return placeholder(found[0].kind)


def _names(value: dict[str, Any]) -> list[Text]:
    return [Text(key, key, is_key=True) for key in value]


def _hits(look: Finder, found: list[Text], seen: Seen | None = None) -> list[Hit]:
    """Judge texts of one row. ``seen`` is what the prefilter saw in all of them, if it did."""
    if seen is None:
        seen, found = _seen(look, found)
    if not seen.kinds and not look.looks_at_all:
        return []
    hits = []
    for column, text, _ in found:
        findings = look.find(text, column, seen)
        if findings:
            hits.append(Hit(column, text, findings))
    return hits


def _seen(look: Finder, found: list[Text]) -> tuple[Seen, list[Text]]:
    """Look at texts that stand in no line as they are, with their columns' words."""
    seen = look.prefilter.look(_joined(found))
    if seen.is_foreign:
        found = [Text(c, t if t.isascii() else t.translate(PLAIN), k) for c, t, k in found]
        seen = look.prefilter.look(_joined(found))
    return seen, found


def _joined(found: list[Text]) -> bytes:
    parts = [part for column, text, _ in found for part in (column, text)]
    return "\n".join(parts).encode("utf-8", "surrogatepass")


def _count(found: Scanned, row: Judged, labels: Labels) -> None:
    if row.number >= 0:
        found.broken += row.broken is not None
        found.rows += row.broken is None
        found.unjudged += not row.is_judged
        found.with_findings += bool(row.hits)
    for column, text, findings in row.hits:
        label = labels.of(column)
        for kind, start, end in findings:
            count(found.counts, kind, label)
            samples = found.samples.setdefault(kind, [])
            if len(samples) < SAMPLES:
                samples.append((row.number, label, masked(kind, text[start:end])))


def count(counts: dict[str, dict[str, int]], kind: str, column: str, number: int = 1) -> None:
    """Add to a count; columns beyond the first 200 of a kind are counted together."""
    columns = counts.setdefault(kind, {})
    if column not in columns and len(columns) >= MAX_COLUMNS:
        column = OTHER_COLUMNS
    columns[column] = columns.get(column, 0) + number
