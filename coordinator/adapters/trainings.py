"""The table ``trainings``: where trainings stand that jobs handed to somebody else.

A row comes when the job has succeeded, or when the trainer calls back before that. What it says is
copied into the job's result, which is what people read.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.domain.trainings import FINAL, Standing, TrainingStatus


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    job_id: UUID
    upload_id: UUID
    trainer: str | None
    external_id: str | None
    status: TrainingStatus
    model: str | None
    detail: str | None
    is_old: bool


class Handed(msgspec.Struct, frozen=True):
    """Whose job it is that was handed over."""

    upload_id: UUID
    tenant: str
    user_id: str


_ADOPT: Final = """
INSERT INTO trainings
       (job_id, upload_id, trainer, external_id, status, model, detail, finished_at)
SELECT id, upload_id, result->>'trainer', result->>'externalId', result->>'externalStatus',
       result->>'externalModel', result->>'externalDetail',
       CASE WHEN result->>'externalStatus' = ANY (%(final)s) THEN clock_timestamp() END
  FROM jobs
 WHERE kind = 'trigger_fine_tuning' AND state = 'succeeded'
   AND result->>'followedBy' IS NOT NULL
   AND NOT EXISTS (SELECT FROM trainings AS t WHERE t.job_id = jobs.id AND t.trainer IS NOT NULL)
    ON CONFLICT (job_id) DO UPDATE
   SET trainer = excluded.trainer, external_id = excluded.external_id
"""


async def adopt(tx: Tx) -> int:
    """Add a row for each hand-off that has none; return how many there were."""
    return (await tx.execute(_ADOPT, {"final": sorted(FINAL)})).rowcount


_TAKE: Final = """
UPDATE trainings AS t SET checked_at = clock_timestamp()
  FROM (SELECT job_id FROM trainings
         WHERE finished_at IS NULL AND trainer IS NOT NULL
           AND checked_at <= clock_timestamp() - %(every)s
         ORDER BY checked_at
         LIMIT %(limit)s
           FOR UPDATE SKIP LOCKED) AS due
 WHERE t.job_id = due.job_id
RETURNING t.job_id, upload_id, trainer, external_id, status, model, detail,
          begun_at <= clock_timestamp() - %(old)s AS is_old
"""


async def take_due(tx: Tx, *, every: timedelta, old: timedelta, limit: int) -> list[Training]:
    """Return trainings to ask for, that nobody has asked for so long; the next who asks waits."""
    values = {"every": every, "old": old, "limit": limit}
    rows = await (await tx.execute(_TAKE, values)).fetchall()
    return [msgspec.convert(row, Training) for row in rows]


_HANDED: Final = """
SELECT u.id AS upload_id, u.tenant, u.user_id
  FROM jobs AS j JOIN uploads AS u ON u.id = j.upload_id
 WHERE j.id = %s AND j.kind = 'trigger_fine_tuning' AND u.erasing_since IS NULL
"""


async def handed(tx: Tx, job_id: UUID) -> Handed | None:
    """Say whose job a trainer speaks of; ``None``: there is no such job any more."""
    row = await (await tx.execute(_HANDED, [job_id])).fetchone()
    return None if row is None else msgspec.convert(row, Handed)


_HOLD: Final = """
SELECT state = 'succeeded' AND result->>'status' = 'submitted' AS is_over, upload_id
  FROM jobs WHERE id = %s AND kind = 'trigger_fine_tuning'
   FOR UPDATE
"""
_READ: Final = """
SELECT job_id, upload_id, trainer, external_id, status, model, detail, false AS is_old
  FROM trainings WHERE job_id = %s
"""


async def hold(tx: Tx, job_id: UUID) -> tuple[UUID, bool] | None:
    """Hold the job's row until ``tx`` ends; say whose it is, and whether its result stands.

    ``None``: there is no such job.
    """
    row = await (await tx.execute(_HOLD, [job_id])).fetchone()
    return None if row is None else (row["upload_id"], bool(row["is_over"]))


async def read(tx: Tx, job_id: UUID) -> Training | None:
    """Read a row."""
    row = await (await tx.execute(_READ, [job_id])).fetchone()
    return None if row is None else msgspec.convert(row, Training)


_WRITE: Final = """
INSERT INTO trainings (job_id, upload_id, status, model, detail, finished_at)
VALUES (%(job)s, %(upload)s, %(status)s, %(model)s, %(detail)s,
        CASE WHEN %(is_final)s THEN clock_timestamp() END)
    ON CONFLICT (job_id) DO UPDATE
   SET status = excluded.status, model = excluded.model, detail = excluded.detail,
       finished_at = excluded.finished_at
"""


async def write(tx: Tx, job_id: UUID, upload_id: UUID, standing: Standing) -> None:
    """Write down where a training stands. The job's row must be held."""
    values = {
        "job": job_id,
        "upload": upload_id,
        "status": standing.status,
        "model": standing.model,
        "detail": standing.detail,
        "is_final": standing.status in FINAL,
    }
    await tx.execute(_WRITE, values)


_TELL: Final = """
UPDATE jobs SET result = result || %(told)s::jsonb
 WHERE id = %(job)s AND state = 'succeeded' AND NOT result @> %(told)s::jsonb
"""


async def tell(tx: Tx, job_id: UUID, standing: Standing) -> bool:
    """Let the job's result say it; ``False``: it does already."""
    values = {"job": job_id, "told": Jsonb(_told(standing))}
    return bool((await tx.execute(_TELL, values)).rowcount)


def _told(standing: Standing) -> Mapping[str, Any]:
    return {
        "externalStatus": standing.status,
        "externalModel": standing.model,
        "externalDetail": standing.detail,
    }


_UNTOLD: Final = """
SELECT t.job_id, t.upload_id, trainer, external_id, status, model, detail, false AS is_old
  FROM trainings AS t JOIN jobs AS j ON j.id = t.job_id
 WHERE j.kind = 'trigger_fine_tuning' AND j.state = 'succeeded'
   AND j.result->>'status' = 'submitted' AND j.result->>'externalStatus' <> t.status
 LIMIT %s
"""


async def untold(tx: Tx, *, limit: int) -> list[Training]:
    """Return what is known and not said by the job's result: it was told before that was there."""
    rows = await (await tx.execute(_UNTOLD, [limit])).fetchall()
    return [msgspec.convert(row, Training) for row in rows]
