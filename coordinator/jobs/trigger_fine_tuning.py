"""The job ``trigger_fine_tuning``: hands the prepared data set to whoever trains.

The hand-off is the job. How the training goes is asked for, or called back, afterwards; until it is
over the result's ``externalStatus`` says where it stands.
"""

from typing import Any, Final, Literal

import msgspec

from coordinator.adapters.trainers import open_trainer
from coordinator.adapters.trainers.asking import TrainerRefusedError
from coordinator.domain import callback_tokens
from coordinator.domain.job_parameters import TriggerFineTuning
from coordinator.domain.kinds import Kind
from coordinator.domain.trainers import Trainer, WebhookTrainer, can_be_asked, chosen, kind_of
from coordinator.domain.trainings import Callback, Handoff, TrainingStatus
from coordinator.jobs.training_material import Material
from coordinator.jobs.workspace import FatalJobError, Options, Outcome, Workspace

_FORMAT: Final = "parquet"
_PREPARED: Final = frozenset({"done", "partial"})


class FineTuning(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The job's result. ``external…`` is the trainer's, and changes after the job has ended."""

    status: Literal["submitted", "skipped"]

    reason: str | None = None
    """A stable code, if skipped: ``no-trainer trainer-unknown nothing-prepared``."""

    detail: str | None = None
    """A sentence for people about ``reason``."""

    trainer: str | None = None
    """Its name in the settings."""

    trainer_kind: str | None = None
    rows: int | None = None
    """Rows that were handed over."""

    model: str | None = None
    """What was asked to be trained, where the caller said it."""

    followed_by: Literal["polling", "callback"] | None = None
    """How we hear of the training afterwards; of some we do not."""

    external_id: str | None = None
    external_status: TrainingStatus | None = None
    external_model: str | None = None
    external_detail: str | None = None


def run(work: Workspace, parameters: TriggerFineTuning) -> Outcome:
    """Hand the data set over, once in effect: whoever takes it knows a repeat.

    Raises:
        FatalJobError: ``trainer-refused``: it will not take it, however often it is asked.
        TrainerAwayError: it does not answer; try again later.
        ObjectReadError: S3 could not be read; try again later.

    """
    trainers: tuple[Trainer, ...] = work.options.trainers
    if not trainers:
        return _skipped("no-trainer", "COORDINATOR_TRAINERS names none.")
    trainer = chosen(trainers, parameters.trainer)
    if trainer is None:
        return _skipped("trainer-unknown", f"There is no trainer {parameters.trainer!r}.")
    prepared = work.earlier.get(Kind.PREPARE_TRAINING_DATASET, {})
    if prepared.get("status") not in _PREPARED:
        return _skipped("nothing-prepared", "No data set was prepared of this file.")
    material = Material(work, str(prepared["manifest"]))
    splits = material.splits()
    if "train" not in splits:
        return _skipped("nothing-prepared", "The prepared data set has no rows to train on.")
    handoff = Handoff(
        job_id=work.job_id,
        upload_id=work.upload_id,
        format=_FORMAT,
        manifest=material.manifest,
        splits=splits,
        model=parameters.model,
        hyperparameters=parameters.hyperparameters,
        callback=_callback(trainer, work.job_id, work.options),
    )
    return _submitted(trainer, handoff, material)


def _submitted(trainer: Trainer, handoff: Handoff, material: Material) -> Outcome:
    try:
        with open_trainer(trainer) as client:
            standing = client.submit(handoff, material)
    except TrainerRefusedError as exc:
        raise FatalJobError("trainer-refused", f"{trainer.name}: {exc.detail}") from exc
    found = FineTuning(
        status="submitted",
        trainer=trainer.name,
        trainer_kind=kind_of(trainer),
        rows=handoff.rows,
        model=handoff.model,
        followed_by=_followed_by(trainer),
        external_id=standing.external_id,
        external_status=standing.status,
        external_model=standing.model,
        external_detail=standing.detail,
    )
    return Outcome(msgspec.to_builtins(found), rows=handoff.rows)


def _followed_by(trainer: Trainer) -> Literal["polling", "callback"] | None:
    if can_be_asked(trainer):
        return "polling"
    return "callback" if isinstance(trainer, WebhookTrainer) and trainer.callback else None


def _callback(trainer: Trainer, job_id: str, options: Options) -> Callback | None:
    if not isinstance(trainer, WebhookTrainer) or not trainer.callback:
        return None
    return Callback(
        url=f"{options.public_url.rstrip('/')}/api/jobs/{job_id}/callback",
        token=callback_tokens.mint(job_id, secret=options.secret),
    )


def _skipped(reason: str, detail: str, **known: Any) -> Outcome:
    found = FineTuning(status="skipped", reason=reason, detail=detail, **known)
    return Outcome(msgspec.to_builtins(found))
