"""Ask trainers where trainings stand that were handed to them, until they are over."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from coordinator.adapters import audit, trainings
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.adapters.trainers import open_trainer
from coordinator.adapters.trainers.asking import TrainerAwayError, TrainerRefusedError
from coordinator.adapters.trainings import Training
from coordinator.domain.trainers import Trainer, can_be_asked
from coordinator.domain.trainings import FINAL, Standing, TrainingStatus
from coordinator.operations.note_training import note_training
from coordinator.operations.side_by_side import side_by_side

_log = structlog.get_logger(__name__)

EVERY: Final = timedelta(seconds=30)

_OLD: Final = timedelta(days=30)  # nobody waits for such a training any more
_MOST: Final = 50  # in one round


async def poll_trainings(
    stores: Stores, trainers: Sequence[Trainer], *, every: timedelta = EVERY
) -> int:
    """Ask for the trainings that are due, and return how many were."""
    async with transaction(stores.pool) as tx:
        await trainings.adopt(tx)
        due = await trainings.take_due(tx, every=every, old=_OLD, limit=_MOST)
        untold = await trainings.untold(tx, limit=_MOST)
    known = {each.name: each for each in trainers}
    await side_by_side("telling of a training", partial(_tell, stores), untold)
    await side_by_side("asking a trainer", partial(_ask, stores, known), due)
    return len(due)


async def _tell(stores: Stores, training: Training) -> None:
    standing = Standing(
        external_id=training.external_id,
        status=training.status,
        model=training.model,
        detail=training.detail,
    )
    await note_training(stores, training.job_id, standing, actor=audit.WORKER)


async def _ask(stores: Stores, known: Mapping[str, Trainer], training: Training) -> None:
    """Ask for one, in a thread; a trainer that is away is asked again in the next round."""
    trainer = known.get(training.trainer or "")
    standing: Standing | None = None
    if trainer is not None and can_be_asked(trainer) and training.external_id is not None:
        try:
            standing = await asyncio.to_thread(_look, trainer, training.external_id)
        except (TrainerAwayError, TrainerRefusedError) as exc:
            _log.warning("trainer not asked", trainer=trainer.name, why=str(exc))
    if training.is_old and (standing is None or standing.status not in FINAL):
        standing = Standing(external_id=training.external_id, status=TrainingStatus.UNKNOWN)
    if standing is not None and standing.status is not training.status:
        await note_training(stores, training.job_id, standing, actor=audit.WORKER)


def _look(trainer: Trainer, external_id: str) -> Standing | None:
    with open_trainer(trainer) as client:
        return client.look(external_id)
