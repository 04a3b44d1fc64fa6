"""The job ``scan_pii``: what personal data a data set holds, and a copy without it.

What is found is counted by kind and column. Of the data itself a result shows only what
``pii_masking`` leaves of it, and logs and errors show nothing. The same object and parameters give
the same result and the same copy.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from coordinator.domain import pii_kinds as kinds
from coordinator.domain.job_parameters import ScanPii
from coordinator.jobs.pieces import cut
from coordinator.jobs.pii_names import installed_model
from coordinator.jobs.pii_redaction import copy_of, redact_piece, redacted_blocks
from coordinator.jobs.pii_rows import LINES, SAMPLES, Scanned, count, scan_piece
from coordinator.jobs.rows import NotRowsError
from coordinator.jobs.workspace import FatalJobError, Outcome, Workspace

PII_FOUND: Final = "pii-found"
NOT_SCANNED: Final = "not-scanned"

# A redacted piece is a result that waits for its turn: smaller than those that are only counted.
_REDACTED_PIECE: Final = 4 * 1024 * 1024

_NO_MODEL: Final = "Names were not looked for: no spaCy model is installed."
_CLEAN: Final = "Nothing was found, so there is no redacted copy."


class Count(msgspec.Struct, frozen=True, omit_defaults=True):
    """So many findings of a kind in a column."""

    kind: str
    column: str
    """A JSON pointer, with ``*`` for places in arrays; the name of a table's column; "" for text
    and for rows that no parser reads."""

    count: int
    country: str | None = None


class Sample(msgspec.Struct, frozen=True):
    """One finding, masked."""

    kind: str
    row: int | None
    """From 0 on, broken rows counted and blank lines not; ``None`` for the header."""

    column: str
    masked: str


class Redacted(msgspec.Struct, frozen=True, rename="camel"):
    """The redacted copy, as later jobs read it."""

    path: str
    file_name: str
    file_type: str
    size: int
    root: str
    format: str


class PiiResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's result."""

    status: Literal["done", "partial", "skipped"]
    """All rows judged; some of them; or none, because it is no file of rows."""

    reason: str | None = None
    """A stable code, unless ``done``: why it was skipped (``empty not-a-table compression-not-read
    damaged unpacks-too-large claims-too-much``), why reading ended too early, or
    ``rows-not-judged``."""

    detail: str | None = None
    """A sentence for people about ``reason``."""

    policy: Literal["report", "redact", "block"]
    kinds: list[str] = []
    """What was looked for."""

    rows: int = 0
    broken_rows: int = 0
    rows_not_judged: int = 0
    """Broken rows of which only the place is known. The redacted copy is without them."""

    rows_with_findings: int = 0
    findings: list[Count] = []
    samples: list[Sample] = []
    """The first 20 of each kind."""

    redacted: Redacted | None = None
    redacted_format: str | None = None
    notes: list[str] = []


def run(work: Workspace, parameters: ScanPii) -> Outcome:
    """Scan the object, and do with it what the policy says.

    Raises:
        FatalJobError: a kind or a country is unknown; nothing was scanned.
        ObjectReadError: S3 could not be read; try again later.
        StoppedError: the job should not go on.

    """
    chosen, notes = _chosen(parameters)
    regions = parameters.countries
    try:
        pieces = cut(work.reader(), work.detected())
    except NotRowsError as exc:
        return _skipped(parameters, chosen, exc.reason, exc.detail)
    found = _merged(work.mapped(scan_piece, pieces, chosen, regions))
    if found.failure and not found.rows + found.broken:
        return _skipped(parameters, chosen, *found.failure)
    result = _result(found, parameters, chosen, notes)
    if parameters.policy == "redact":
        result = _redacted(work, result, chosen, regions)
    blocks = _blocks(result) if parameters.policy == "block" else None
    return Outcome(msgspec.to_builtins(result), blocks, rows=found.rows + found.broken)


def _blocks(result: PiiResult) -> str | None:
    """Say why nothing may be done with the object: what nobody could read, nobody has judged."""
    if result.findings:
        return PII_FOUND
    return None if result.status == "done" else NOT_SCANNED


def _chosen(parameters: ScanPii) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the kinds to look for, and what to say about those that cannot be."""
    try:
        chosen = kinds.chosen(parameters.kinds, parameters.countries)
    except kinds.UnknownKindError as exc:
        raise FatalJobError("unknown-pii-kind", str(exc)) from exc
    if kinds.NAME in chosen and installed_model() is None:
        return tuple(kind for kind in chosen if kind != kinds.NAME), (_NO_MODEL,)
    return chosen, ()


def _skipped(parameters: ScanPii, chosen: tuple[str, ...], reason: str, detail: str) -> Outcome:
    result = PiiResult(
        status="skipped",
        reason=reason,
        detail=detail,
        policy=parameters.policy,
        kinds=[*chosen],
    )
    # An empty file holds nothing, whatever the policy.
    is_open = parameters.policy == "report" or reason == "empty"
    return Outcome(msgspec.to_builtins(result), None if is_open else NOT_SCANNED)


def _merged(pieces: Iterable[Scanned]) -> Scanned:
    """Add the pieces up, in their order."""
    total = Scanned(counts={}, samples={})
    for piece in pieces:
        before = total.rows + total.broken
        for kind, columns in piece.counts.items():
            for column, number in columns.items():
                count(total.counts, kind, column, number)
        for kind, samples in piece.samples.items():
            known = total.samples.setdefault(kind, [])
            known += [
                (row if row < 0 else row + before, column, masked)
                for row, column, masked in samples[: SAMPLES - len(known)]
            ]
        total.rows += piece.rows
        total.broken += piece.broken
        total.unjudged += piece.unjudged
        total.with_findings += piece.with_findings
        total.failure = total.failure or piece.failure
    return total


def _result(
    found: Scanned, parameters: ScanPii, chosen: tuple[str, ...], notes: tuple[str, ...]
) -> PiiResult:
    reason, detail = found.failure or _unjudged(found)
    in_order = [kind for kind in kinds.KINDS if kind in found.counts]
    return PiiResult(
        status="partial" if reason else "done",
        reason=reason,
        detail=detail,
        policy=parameters.policy,
        kinds=[*chosen],
        rows=found.rows,
        broken_rows=found.broken,
        rows_not_judged=found.unjudged,
        rows_with_findings=found.with_findings,
        findings=[
            Count(kind, column, number, kinds.COUNTRY_OF.get(kind))
            for kind in in_order
            for column, number in sorted(found.counts[kind].items())
        ],
        samples=[
            Sample(kind, None if row < 0 else row, column, masked)
            for kind in in_order
            for row, column, masked in found.samples[kind]
        ],
        notes=[*notes],
    )


def _unjudged(found: Scanned) -> tuple[str, str] | tuple[None, None]:
    if not found.unjudged:
        return None, None
    whole = found.rows + found.broken
    return "rows-not-judged", f"{found.unjudged} of {whole} rows could not be read, nor judged."


def _redacted(
    work: Workspace, result: PiiResult, chosen: tuple[str, ...], regions: tuple[str, ...]
) -> PiiResult:
    """Write the copy, if it would differ."""
    if not result.findings and result.status == "done":
        return msgspec.structs.replace(result, notes=[*result.notes, _CLEAN])
    copy = copy_of(work.detected(), work.file_name)
    written = work.write(
        f"redacted/{copy.file_name}", _copied(work, chosen, regions), media_type=copy.media_type
    )
    return msgspec.structs.replace(
        result,
        redacted_format=copy.format,
        redacted=Redacted(
            path=written.path,
            file_name=copy.file_name,
            file_type=copy.media_type,
            size=written.size,
            root=written.root,
            format=copy.format,
        ),
    )


def _copied(work: Workspace, chosen: tuple[str, ...], regions: tuple[str, ...]) -> Iterator[bytes]:
    """Yield the copy. Pieces of lines are done side by side; what must be read in order, here."""
    pieces = cut(work.reader(), work.detected(), target_bytes=_REDACTED_PIECE)
    if work.detected().format in LINES and not any(piece.is_whole for piece in pieces):
        yield from work.mapped(redact_piece, pieces, chosen, regions, keep=False)
        return
    for done, piece in enumerate(pieces):
        for block in redacted_blocks(piece, chosen, regions):
            work.note(done, len(pieces))
            yield block
