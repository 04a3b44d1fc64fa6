"""The table ``jobs``. A result is written by the attempt that is current, and by no other."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.domain.jobs import Job, Kind

_ADD: Final = """
INSERT INTO jobs (id, upload_id, kind, parameters, position)
VALUES (%(id)s, %(upload_id)s, %(kind)s, %(parameters)s, %(position)s)
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
) -> bool:
    """Add a job; ``False`` when it exists already."""
    values = {
        "id": job_id,
        "upload_id": upload_id,
        "kind": kind,
        "parameters": Jsonb(parameters),
        "position": position,
    }
    return await (await tx.execute(_ADD, values)).fetchone() is not None


_OF_UPLOAD: Final = """
SELECT id, upload_id, kind, parameters, state, attempt, result, error_code FROM jobs
 WHERE upload_id = %s ORDER BY position, id
"""


async def of_upload(tx: Tx, upload_id: UUID) -> list[Job]:
    """Return an upload's jobs in their order."""
    cursor = await tx.execute(_OF_UPLOAD, [upload_id])
    return msgspec.convert(await cursor.fetchall(), list[Job])


_READ: Final = """
SELECT id, upload_id, kind, parameters, state, attempt, result, error_code FROM jobs WHERE id = %s
"""


async def read(tx: Tx, job_id: UUID) -> Job | None:
    """Read a job; ``None`` when there is none."""
    row = await (await tx.execute(_READ, [job_id])).fetchone()
    return None if row is None else msgspec.convert(row, Job)


_REOPEN: Final = """
UPDATE jobs SET state = 'queued', finished_at = NULL
 WHERE id = %s AND state = 'failed'
RETURNING id, upload_id, kind, parameters, state, attempt, result, error_code
"""


async def reopen(tx: Tx, job_id: UUID) -> Job | None:
    """Let a failed job wait for one more attempt; ``None`` when it has not failed.

    Its error stands until that begins.
    """
    row = await (await tx.execute(_REOPEN, [job_id])).fetchone()
    return None if row is None else msgspec.convert(row, Job)


_START: Final = """
UPDATE jobs AS j
   SET state = 'running', attempt = attempt + 1,
       started_at = clock_timestamp(), error_code = NULL
 WHERE id = %s AND state IN ('queued', 'running')
   AND NOT EXISTS (SELECT FROM uploads AS u
                    WHERE u.id = j.upload_id AND u.erasing_since IS NOT NULL)
RETURNING id, upload_id, kind, parameters, state, attempt, result, error_code
"""


async def start(tx: Tx, job_id: UUID) -> Job | None:
    """Begin a new attempt, fencing older ones; ``None``: it is over, unknown or being erased."""
    row = await (await tx.execute(_START, [job_id])).fetchone()
    return None if row is None else msgspec.convert(row, Job)


_SUCCEED: Final = """
UPDATE jobs SET state = 'succeeded', result = %(result)s, finished_at = clock_timestamp()
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
RETURNING id
"""


async def succeed(tx: Tx, job: Job, result: Mapping[str, Any]) -> bool:
    """Store the result; ``False`` when a later attempt has taken over, and nothing was written."""
    values = {"id": job.id, "attempt": job.attempt, "result": Jsonb(result)}
    return await (await tx.execute(_SUCCEED, values)).fetchone() is not None


_FAIL: Final = """
UPDATE jobs
   SET state = CASE WHEN %(final)s THEN 'failed' ELSE 'queued' END, error_code = %(code)s,
       finished_at = CASE WHEN %(final)s THEN clock_timestamp() END
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
RETURNING id
"""


async def fail(tx: Tx, job: Job, code: str, *, final: bool) -> bool:
    """Note that an attempt failed; unless ``final`` the job waits for the next attempt."""
    values = {"id": job.id, "attempt": job.attempt, "code": code, "final": final}
    return await (await tx.execute(_FAIL, values)).fetchone() is not None


_THROUGHPUT: Final = """
SELECT sum(u.size_bytes) / nullif(extract(epoch FROM sum(j.finished_at - j.started_at)), 0) AS rate
  FROM (SELECT upload_id, started_at, finished_at FROM jobs
         WHERE state = 'succeeded' AND kind = ANY (%s) ORDER BY finished_at DESC LIMIT 50) AS j
  JOIN uploads AS u ON u.id = j.upload_id
"""


async def throughput(tx: Tx, kinds: list[Kind]) -> float | None:
    """Return the bytes a second of the last 50 jobs of these kinds; ``None``: there were none."""
    row = await (await tx.execute(_THROUGHPUT, [kinds])).fetchone()
    assert row is not None, "an aggregate has a row"
    return None if row["rate"] is None else float(row["rate"])
