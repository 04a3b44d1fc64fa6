"""Pipelines as data: which jobs a purpose asks for, in which order, and what each needs.

``metadata.purpose`` chooses one; ``metadata.jobs`` tells its jobs more: ``{"scan_pii": {"policy":
"redact"}}``. ``metadata.schema`` is short for ``metadata.jobs.validate_schema.schema``.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from coordinator.domain.errors import InvalidFieldError
from coordinator.domain.job_parameters import parse, stored
from coordinator.domain.kinds import Kind

DEFAULT: Final = "archive"

_PURPOSE: Final = "^[a-z][a-z0-9-]{0,63}$"


class PipelineSettingError(ValueError):
    """A pipeline of the settings cannot be used; the message names it and says why."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job of a pipeline: it begins once those that it needs have succeeded and block nothing."""

    kind: Kind
    needs: tuple[Kind, ...] = ()
    parameters: dict[str, Any] = {}


class Planned(msgspec.Struct, frozen=True):
    """A job that an upload is to have, with its parameters as they are stored."""

    kind: Kind
    needs: tuple[Kind, ...]
    parameters: dict[str, Any]


Pipelines = Mapping[str, tuple[Step, ...]]

_SCHEMA: Final = Step(Kind.VALIDATE_SCHEMA)
_PII: Final = Step(Kind.SCAN_PII)
# After the scan: what it redacts must not come to light as the least value of a column.
_METADATA: Final = Step(Kind.GENERATE_METADATA, (Kind.SCAN_PII,))

PIPELINES: Final[Pipelines] = {
    "archive": (Step(Kind.GENERATE_METADATA),),
    "training": (
        _SCHEMA,
        _PII,
        _METADATA,
        Step(Kind.PREPARE_TRAINING_DATASET, (Kind.VALIDATE_SCHEMA, Kind.SCAN_PII)),
        Step(Kind.TRIGGER_FINE_TUNING, (Kind.PREPARE_TRAINING_DATASET,)),
    ),
    "retrieval": (
        _SCHEMA,
        _PII,
        _METADATA,
        Step(Kind.GENERATE_EMBEDDINGS, (Kind.SCAN_PII,)),
        Step(Kind.INDEX_DATASET, (Kind.GENERATE_EMBEDDINGS,)),
    ),
}


def plan_jobs(metadata: Mapping[str, Any], pipelines: Pipelines = PIPELINES) -> tuple[Planned, ...]:
    """Return the jobs that ``metadata`` asks for, in order, their parameters checked.

    Raises:
        InvalidFieldError: the purpose is none that is known, a job is told what it cannot be told,
            or is none of the pipeline's.

    """
    purpose = metadata.get("purpose", DEFAULT)
    if not isinstance(purpose, str) or purpose not in pipelines:
        known = ", ".join(sorted(pipelines))
        raise InvalidFieldError("metadata.purpose", f"The purposes are {known}.")
    steps = pipelines[purpose]
    told = _told(metadata, steps)
    return tuple(_planned(step, told.get(step.kind, {})) for step in steps)


def plan_or_least(
    metadata: Mapping[str, Any], pipelines: Pipelines = PIPELINES
) -> tuple[Planned, ...]:
    """Plan what was checked at init, under settings that may be others by now.

    A purpose that is gone, or takes no such parameters any more, keeps no upload from completing:
    it gets the jobs of an archive, in their usual way.
    """
    try:
        return plan_jobs(metadata, pipelines)
    except InvalidFieldError:
        return plan_jobs({})


def _told(metadata: Mapping[str, Any], steps: Sequence[Step]) -> dict[str, dict[str, Any]]:
    """Gather what ``metadata`` tells each job."""
    jobs = metadata.get("jobs", {})
    if not isinstance(jobs, dict):
        raise InvalidFieldError("metadata.jobs", "Expected an object: a kind, its parameters.")
    kinds = {step.kind for step in steps}
    for name, members in jobs.items():
        if name not in kinds:
            known = ", ".join(sorted(kinds))
            raise InvalidFieldError(f"metadata.jobs.{name}", f"The purpose's jobs are {known}.")
        if not isinstance(members, dict):
            raise InvalidFieldError(f"metadata.jobs.{name}", "Expected an object of parameters.")
    told = {name: dict(members) for name, members in jobs.items()}
    if "schema" in metadata and Kind.VALIDATE_SCHEMA in kinds:
        told.setdefault(Kind.VALIDATE_SCHEMA, {}).setdefault("schema", metadata["schema"])
    return told


def _planned(step: Step, told: Mapping[str, Any]) -> Planned:
    members = {**step.parameters, **told}
    parameters = parse(step.kind, members, field=f"metadata.jobs.{step.kind}")
    return Planned(step.kind, step.needs, stored(parameters))


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pipelines: dict[Annotated[str, Meta(pattern=_PURPOSE)], tuple[Step, ...]]


def parse_pipelines(text: str) -> Pipelines:
    """Read an operator's pipelines, ``{"name": [{"kind": …, "needs": […]}]}``, beside our own.

    One of ours may be replaced by giving it anew, but for ``archive``, on which all fall back.

    Raises:
        PipelineSettingError: it is no such JSON, a job needs one that does not come before it,
            a kind stands twice, or parameters cannot be used.

    """
    if not text:
        return PIPELINES
    try:
        members = msgspec.json.decode(text)
        found = msgspec.convert({"pipelines": members}, _Named).pipelines
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise PipelineSettingError(f"{exc}") from exc
    if DEFAULT in found:
        raise PipelineSettingError(f"{DEFAULT} stays as it is: give yours another name")
    for name, steps in found.items():
        _check(name, steps)
    return {**PIPELINES, **found}


def _check(name: str, steps: Sequence[Step]) -> None:
    before: set[Kind] = set()
    for step in steps:
        if step.kind in before:
            raise PipelineSettingError(f"{name}: {step.kind} stands there twice")
        if missing := set(step.needs) - before:
            raise PipelineSettingError(
                f"{name}: {step.kind} needs {', '.join(sorted(missing))}, which must come before it"
            )
        before.add(step.kind)
        try:
            parse(step.kind, step.parameters, field=f"{name}.{step.kind}")
        except InvalidFieldError as exc:
            raise PipelineSettingError(f"{exc.facts['field']}: {exc.detail}") from exc
