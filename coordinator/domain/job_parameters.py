"""What each kind of job can be told, checked when an upload is opened and not when the job runs.

Defaults are left out where parameters are stored: a job's id is made from what is there, and a new
parameter with a default makes no other job of an old one.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from coordinator.domain import pii_kinds
from coordinator.domain.errors import InvalidFieldError
from coordinator.domain.json_schemas import SchemaError, compiled
from coordinator.domain.kinds import Kind

_Part = Annotated[float, Meta(ge=0, le=0.5)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]

_MAX_SCHEMA_BYTES: Final = 64 * 1024
_PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`$")


class Parameters(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """What one job can be told."""


class ValidateSchema(Parameters, frozen=True):
    """``schema``: a JSON Schema, or one is inferred from the rows."""

    schema: dict[str, Any] | bool | Literal["auto-detect"] = "auto-detect"


class ScanPii(Parameters, frozen=True):
    """What to look for, and what becomes of an upload in which it is found."""

    policy: Literal["report", "redact", "block"] = "report"
    kinds: tuple[_Name, ...] = ()  # none: all
    countries: tuple[Annotated[str, Meta(pattern="^[A-Z]{2}$")], ...] = ()  # of national ids


class GenerateMetadata(Parameters, frozen=True):
    """What no file says of itself, for its card."""

    description: Annotated[str, Meta(max_length=4_000)] | None = None
    license: _Name | None = None


class PrepareTrainingDataset(Parameters, frozen=True):
    """How rows are split: a row's content and the seed decide, not its place."""

    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    validation: _Part = 0.05
    test: _Part = 0.05
    dedupe: bool = True
    shard_mib: Annotated[int, Meta(ge=1, le=4_096)] = 256


class GenerateEmbeddings(Parameters, frozen=True):
    """``column``: the text to embed; otherwise the one with the longest texts."""

    column: _Name | None = None


class IndexDataset(Parameters, frozen=True):
    """Nothing: it takes what the embeddings are."""


class TriggerFineTuning(Parameters, frozen=True):
    """``trainer``: one of those in the settings; otherwise the first."""

    trainer: _Name | None = None
    model: _Name | None = None
    hyperparameters: dict[str, Any] = {}


STRUCTS: Final[Mapping[Kind, type[Parameters]]] = {
    Kind.VALIDATE_SCHEMA: ValidateSchema,
    Kind.SCAN_PII: ScanPii,
    Kind.GENERATE_METADATA: GenerateMetadata,
    Kind.PREPARE_TRAINING_DATASET: PrepareTrainingDataset,
    Kind.GENERATE_EMBEDDINGS: GenerateEmbeddings,
    Kind.INDEX_DATASET: IndexDataset,
    Kind.TRIGGER_FINE_TUNING: TriggerFineTuning,
}


def parse(kind: Kind, members: object, *, field: str) -> Parameters:
    """Read what was sent for a kind; ``field`` says where it stood.

    >>> stored(parse(Kind.SCAN_PII, {"policy": "redact", "kinds": []}, field="parameters"))
    {'policy': 'redact'}

    Raises:
        InvalidFieldError: a member is unknown or has a value that cannot be used.

    """
    try:
        found = msgspec.convert(members, STRUCTS[kind])
    except msgspec.ValidationError as exc:
        place = _PLACE.search(str(exc))
        at = f"{field}.{place[1]}" if place else field
        raise InvalidFieldError(at, f"{_PLACE.sub('', str(exc))}.") from exc
    if len(msgspec.json.encode(members)) > _MAX_SCHEMA_BYTES:
        raise InvalidFieldError(field, f"At most {_MAX_SCHEMA_BYTES} bytes of parameters.")
    if isinstance(found, ValidateSchema) and found.schema != "auto-detect":
        _check_schema(found.schema, f"{field}.schema")
    if isinstance(found, ScanPii):
        _check_kinds(found, f"{field}.kinds")
    if isinstance(found, PrepareTrainingDataset) and found.validation + found.test > 0.9:  # noqa: PLR2004
        raise InvalidFieldError(field, "Validation and test together take 0.9 of the rows at most.")
    return found


def _check_schema(schema: object, field: str) -> None:
    try:
        compiled(msgspec.json.encode(schema).decode())
    except SchemaError as exc:
        raise InvalidFieldError(field, exc.detail) from exc


def _check_kinds(scan: ScanPii, field: str) -> None:
    """A kind that is misspelled would be found nowhere, and let through."""
    try:
        pii_kinds.chosen(scan.kinds, scan.countries)
    except pii_kinds.UnknownKindError as exc:
        raise InvalidFieldError(field, str(exc)) from exc


def stored(parameters: Parameters) -> dict[str, Any]:
    """Spell parameters as they are kept: what is as it always is stands nowhere."""
    usual = type(parameters)()
    names = type(parameters).__struct_encode_fields__
    fields = type(parameters).__struct_fields__
    told: dict[str, Any] = msgspec.to_builtins(parameters)
    return {
        name: told[name]
        for name, field in zip(names, fields, strict=True)
        if getattr(parameters, field) != getattr(usual, field)
    }


def restored(kind: Kind, members: Mapping[str, Any]) -> Parameters:
    """Read kept parameters, which were checked when they came in."""
    return msgspec.convert(members, STRUCTS[kind])
