"""The job ``validate_schema``: do the rows fulfil a JSON Schema, given or inferred from them?

A row that does not is no failure of the job; a file that has no rows is none either.
"""

from typing import Any, Final, Literal

import msgspec

from coordinator.domain.job_parameters import ValidateSchema
from coordinator.domain.json_schemas import SchemaError, compiled
from coordinator.jobs.pieces import Piece, cut
from coordinator.jobs.rows import NotRowsError
from coordinator.jobs.schema_checks import MOST_BAD, Bad, checked
from coordinator.jobs.schema_inference import MOST_NAMES, Inferred, infer, merged
from coordinator.jobs.workspace import Outcome, Workspace

_SAMPLED_ROWS: Final = 100_000
_SAMPLED_PIECES: Final = 8

# A larger schema is an artifact; results are read as a whole.
_LARGEST_SCHEMA: Final = 64 * 1024
_ARTIFACT: Final = "schema.json"


class Validation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's result."""

    status: Literal["done", "partial", "skipped"]
    """All rows looked at; those before the file's damage; or none."""

    reason: str | None = None
    """A stable code, unless ``done``: those of ``NotRowsError`` and ``SchemaError``, and
    ``too-many-names`` where no schema could be inferred."""

    detail: str | None = None
    """A sentence for people about ``reason``."""

    format: str | None = None
    rows: int = 0
    valid_rows: int = 0
    invalid_rows: int = 0
    broken_rows: int = 0

    bad_rows: tuple[Bad, ...] = ()
    """The first 100 that are broken or invalid."""

    schema: dict[str, Any] | None = None
    """The inferred one, up to 64 KiB."""

    schema_artifact: str | None = None
    """The path of a larger one."""

    inferred_from_rows: int | None = None


def run(work: Workspace, parameters: ValidateSchema) -> Outcome:
    """Validate each row of the object."""
    try:
        result = _found(work, parameters)
    except (NotRowsError, SchemaError) as exc:
        result = Validation(status="skipped", reason=exc.reason, detail=exc.detail)
    result = msgspec.structs.replace(result, format=work.detected().format)
    return Outcome(result=msgspec.to_builtins(result), rows=result.rows)


def _found(work: Workspace, parameters: ValidateSchema) -> Validation:
    if work.detected().format == "text":
        raise NotRowsError("not-a-table", "Lines of text have no schema.")
    pieces = cut(work.reader(), work.detected())
    if parameters.schema == "auto-detect":
        return _inferred(work, pieces)
    return _validated(work, pieces, schema=parameters.schema)


def _inferred(work: Workspace, pieces: list[Piece]) -> Validation:
    """Infer a schema, then validate all rows: most of them had no part in it."""
    sample = _sample(work, pieces)
    if sample.schema is None:
        result = _validated(work, pieces, schema={"type": "object"})
        detail = f"No schema was inferred: the first rows have more than {MOST_NAMES} names."
        return msgspec.structs.replace(
            result,
            status="partial",
            reason=result.reason or "too-many-names",
            detail=result.detail or detail,
            inferred_from_rows=sample.rows,
        )
    result = _validated(work, pieces, schema=sample.schema)
    result = msgspec.structs.replace(result, inferred_from_rows=sample.rows)
    text = msgspec.json.encode(sample.schema)
    if len(text) <= _LARGEST_SCHEMA:
        return msgspec.structs.replace(result, schema=sample.schema)
    work.write(_ARTIFACT, [text], media_type="application/schema+json")
    return msgspec.structs.replace(result, schema_artifact=_ARTIFACT)


def _sample(work: Workspace, pieces: list[Piece]) -> Inferred:
    """Infer from some 100,000 rows of the first pieces, fewer where pieces have few."""
    found = list(work.mapped(infer, pieces[:1], _SAMPLED_ROWS))
    seen = sum(each.rows for each in found)
    more = min(-(-(_SAMPLED_ROWS - seen) // max(seen, 1)), _SAMPLED_PIECES)
    if more > 0:
        found += work.mapped(infer, pieces[1 : 1 + more], -(-(_SAMPLED_ROWS - seen) // more))
    return merged(found, is_text=work.detected().format in {"csv", "tsv"})


def _validated(
    work: Workspace, pieces: list[Piece], *, schema: dict[str, Any] | bool
) -> Validation:
    """Put together what was found in the pieces.

    Raises:
        NotRowsError: not one row could be read.
        SchemaError: the schema cannot be used.

    """
    text = msgspec.json.encode(schema).decode()
    compiled(text)
    rows = valid = invalid = broken = 0
    bad: list[Bad] = []
    end: tuple[str, str] | None = None
    for found in work.mapped(checked, pieces, text):
        room = MOST_BAD - len(bad)
        bad += [msgspec.structs.replace(each, row=rows + each.row) for each in found.bad[:room]]
        rows += found.rows
        valid += found.valid
        invalid += found.invalid
        broken += found.broken
        end = end or found.end
    if end and not rows:
        raise NotRowsError(*end)
    reason, detail = end or (None, None)
    return Validation(
        status="partial" if end else "done",
        reason=reason,
        detail=detail,
        rows=rows,
        valid_rows=valid,
        invalid_rows=invalid,
        broken_rows=broken,
        bad_rows=tuple(bad),
    )
