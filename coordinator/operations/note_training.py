"""Note where a training stands, whoever says so: the trainer that was asked, or that calls back."""

from uuid import UUID

import structlog

from coordinator.adapters import audit, trainings
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.stores import Stores
from coordinator.adapters.trainings import Handed
from coordinator.domain import ids
from coordinator.domain.errors import JobNotFoundError
from coordinator.domain.trainings import FINAL, Standing, TrainingStatus, moved

_log = structlog.get_logger(__name__)


async def note_training(
    stores: Stores, job_id: UUID, told: Standing, *, actor: str
) -> TrainingStatus:
    """Write it down, in the job's result too where that stands; return where the training stands.

    What is told twice is written once, and a final word is the last.

    Raises:
        JobNotFoundError: there is no such job any more.

    """
    async with transaction(stores.pool) as tx:
        held = await trainings.hold(tx, job_id)
        handed = await trainings.handed(tx, job_id)
        if handed is None or held is None:
            raise JobNotFoundError
        upload_id, is_over = held
        before = await trainings.read(tx, job_id)
        was = TrainingStatus.SUBMITTED if before is None else before.status
        status = moved(was, told.status)
        if status is not told.status and before is not None:
            told = Standing(
                external_id=None, status=status, model=before.model, detail=before.detail
            )
        await trainings.write(tx, job_id, upload_id, told)
        changed = await trainings.tell(tx, job_id, told) if is_over else False
        if status is not was and status in FINAL:
            await _audit(tx, handed, job_id, status, actor=actor)
    if changed:
        await stores.ledger.notify(upload_id)
    _log.info("training", job_id=ids.encode(ids.JOB, job_id), status=status, by=actor)
    return status


async def _audit(
    tx: Tx, handed: Handed, job_id: UUID, status: TrainingStatus, *, actor: str
) -> None:
    await audit.append(
        tx,
        "training.ended",
        tenant=handed.tenant,
        actor=actor,
        user=handed.user_id,
        upload_id=handed.upload_id,
        job=ids.encode(ids.JOB, job_id),
        status=status,
    )
