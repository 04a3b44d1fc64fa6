"""The table ``jobs``: each job once, and written by no attempt but the one that is current."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.domain.jobs import Job, State
from coordinator.domain.kinds import Kind
from coordinator.domain.uploads import Owner


def _job(row: Mapping[str, Any] | None) -> Job | None:
    return None if row is None else msgspec.convert(row, Job)


_ADD: Final = """
INSERT INTO jobs (id, upload_id, kind, parameters, position, needs, state)
VALUES (%(id)s, %(upload_id)s, %(kind)s, %(parameters)s, %(position)s, %(needs)s, %(state)s)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""


async def add(
    tx: Tx,
    job_id: UUID,
    upload_id: UUID,
    kind: Kind,
    *,
    parameters: Mapping[str, Any],
    position: int,
    needs: Sequence[UUID] = (),
) -> bool:
    """Add a job, waiting where it needs others; ``False`` when it exists already."""
    values = {
        "id": job_id,
        "upload_id": upload_id,
        "kind": kind,
        "parameters": Jsonb(parameters),
        "position": position,
        "needs": list(needs),
        "state": State.WAITING if needs else State.QUEUED,
    }
    return await (await tx.execute(_ADD, values)).fetchone() is not None


_OF_UPLOAD: Final = "SELECT * FROM jobs WHERE upload_id = %s ORDER BY position, id"


async def of_upload(tx: Tx, upload_id: UUID) -> list[Job]:
    """Return an upload's jobs in their order."""
    cursor = await tx.execute(_OF_UPLOAD, [upload_id])
    return msgspec.convert(await cursor.fetchall(), list[Job])


# The upload's row first, as erasure does it: what is written about its jobs refers to it.
_HOLD: Final = "SELECT FROM uploads WHERE id = %s FOR KEY SHARE"
_LOCK: Final = """
SELECT * FROM jobs WHERE upload_id = %s ORDER BY position, id FOR UPDATE
"""


async def lock_of_upload(tx: Tx, upload_id: UUID) -> list[Job]:
    """Return an upload's jobs, held: two that end together see each other's end."""
    await tx.execute(_HOLD, [upload_id])
    cursor = await tx.execute(_LOCK, [upload_id])
    return msgspec.convert(await cursor.fetchall(), list[Job])


_READ: Final = "SELECT * FROM jobs WHERE id = %s"


async def read(tx: Tx, job_id: UUID) -> Job | None:
    """Read a job; ``None`` when there is none."""
    return _job(await (await tx.execute(_READ, [job_id])).fetchone())


_READ_OF: Final = """
SELECT * FROM jobs AS j
 WHERE id = %(id)s
   AND EXISTS (SELECT FROM uploads AS u
                WHERE u.id = j.upload_id AND u.tenant = %(tenant)s
                  AND (%(user)s::text IS NULL OR u.user_id = %(user)s) AND u.erasing_since IS NULL)
"""


async def read_of(tx: Tx, job_id: UUID, owner: Owner) -> Job | None:
    """Read a job of the owner's uploads; ``None`` when there is none, or it is somebody else's."""
    values = {"id": job_id, "tenant": owner.tenant, "user": owner.user}
    return _job(await (await tx.execute(_READ_OF, values)).fetchone())


_REOPEN: Final = """
UPDATE jobs
   SET state = 'queued', finished_at = NULL, cancelled_by = NULL, queued_at = clock_timestamp()
 WHERE id = %s AND state IN ('failed', 'cancelled')
RETURNING *
"""


async def reopen(tx: Tx, job_id: UUID) -> Job | None:
    """Let a job that failed or was cancelled run once more; ``None``: it did not end so.

    Its error stands until that begins.
    """
    return _job(await (await tx.execute(_REOPEN, [job_id])).fetchone())


_CANCEL: Final = """
UPDATE jobs
   SET cancelled_by = %(actor)s,
       state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
       finished_at = CASE WHEN state = 'running' THEN NULL ELSE clock_timestamp() END
 WHERE id = %(id)s AND state IN ('waiting', 'queued', 'running') AND cancelled_by IS NULL
RETURNING *
"""


async def cancel(tx: Tx, job_id: UUID, *, actor: str) -> Job | None:
    """End a job that has not begun, and ask one that runs to stop; ``None``: nothing to end."""
    return _job(await (await tx.execute(_CANCEL, {"id": job_id, "actor": actor})).fetchone())


_WAKE: Final = """
UPDATE jobs SET state = 'queued', queued_at = clock_timestamp()
 WHERE id = ANY (%s) AND state = 'waiting'
"""
_SKIP: Final = """
UPDATE jobs SET state = 'skipped', error_code = %(code)s, finished_at = clock_timestamp()
 WHERE id = %(id)s AND state = 'waiting'
"""
_REVIVE: Final = """
UPDATE jobs SET state = 'waiting', error_code = NULL, finished_at = NULL
 WHERE id = ANY (%s) AND state = 'skipped'
"""


async def wake(tx: Tx, job_ids: Sequence[UUID]) -> None:
    """Let waiting jobs be queued. Their entries in the queue are the caller's to add."""
    await tx.execute(_WAKE, [list(job_ids)])


async def skip(tx: Tx, job_id: UUID, code: str) -> None:
    """End a waiting job that will not run."""
    await tx.execute(_SKIP, {"id": job_id, "code": code})


async def revive(tx: Tx, job_ids: Sequence[UUID]) -> None:
    """Let skipped jobs wait again."""
    await tx.execute(_REVIVE, [list(job_ids)])


_START: Final = """
UPDATE jobs AS j
   SET state = 'running', attempt = attempt + 1, started_at = clock_timestamp(),
       error_code = NULL, done = NULL, total = NULL
 WHERE id = %s AND state IN ('queued', 'running') AND cancelled_by IS NULL
   AND NOT EXISTS (SELECT FROM uploads AS u
                    WHERE u.id = j.upload_id AND u.erasing_since IS NOT NULL)
RETURNING *
"""


async def start(tx: Tx, job_id: UUID) -> Job | None:
    """Begin a new attempt, fencing older ones; ``None``: it is over, unknown or being erased."""
    return _job(await (await tx.execute(_START, [job_id])).fetchone())


_BEAT: Final = """
UPDATE jobs SET done = %(done)s, total = %(total)s
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running' AND cancelled_by IS NULL
RETURNING id
"""


async def beat(tx: Tx, job: Job, *, done: int | None, total: int | None) -> bool:
    """Note how far an attempt is; ``False``: it is fenced, cancelled or erased, and should stop."""
    values = {"id": job.id, "attempt": job.attempt, "done": done, "total": total}
    return await (await tx.execute(_BEAT, values)).fetchone() is not None


def _storable(value: Any) -> Any:
    """Replace what files may hold and Postgres's text cannot: NUL."""
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case dict():
            return {_storable(name): _storable(each) for name, each in value.items()}
        case list() | tuple():
            return [_storable(each) for each in value]
        case _:
            return value


_SUCCEED: Final = """
UPDATE jobs
   SET state = 'succeeded', result = %(result)s, blocks = %(blocks)s, rows = %(rows)s, done = total,
       finished_at = clock_timestamp()
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running' AND cancelled_by IS NULL
RETURNING id
"""


async def succeed(
    tx: Tx,
    job: Job,
    result: Mapping[str, Any],
    *,
    blocks: str | None = None,
    rows: int | None = None,
) -> bool:
    """Store the result; ``False``: a later attempt has taken over, or nobody wants it any more."""
    values = {
        "id": job.id,
        "attempt": job.attempt,
        "result": Jsonb(_storable(result)),
        "blocks": blocks,
        "rows": rows,
    }
    return await (await tx.execute(_SUCCEED, values)).fetchone() is not None


_FAIL: Final = """
UPDATE jobs
   SET state = %(state)s, error_code = %(code)s,
       finished_at = CASE WHEN %(state)s = 'queued' THEN NULL ELSE clock_timestamp() END
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
RETURNING id
"""


async def fail(tx: Tx, job: Job, code: str | None, *, to: State) -> bool:
    """Note how an attempt failed: the job is FAILED, CANCELLED, or QUEUED for another one."""
    values = {"id": job.id, "attempt": job.attempt, "code": code, "state": to}
    return await (await tx.execute(_FAIL, values)).fetchone() is not None
