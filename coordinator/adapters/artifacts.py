"""The tables ``artifacts`` and ``job_pieces``: what jobs made, and what they found so far."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.jobs import Job
from coordinator.domain.kinds import Kind


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """An object that a job of an upload made."""

    job_id: UUID
    kind: Kind
    path: str
    object_key: str
    size_bytes: int
    root: str
    sha256: bytes
    media_type: str


_REMOVE: Final = "DELETE FROM artifacts WHERE job_id = %s"
_ADD: Final = """
INSERT INTO artifacts (job_id, path, object_key, size_bytes, root, sha256, media_type)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


async def put(tx: Tx, job_id: UUID, made: Sequence[Artifact]) -> None:
    """Let this be what a job made, in the transaction in which it succeeds."""
    await tx.execute(_REMOVE, [job_id])
    async with tx.cursor() as cursor:
        await cursor.executemany(
            _ADD,
            [
                (a.job_id, a.path, a.object_key, a.size_bytes, a.root, a.sha256, a.media_type)
                for a in made
            ],
        )


_OF_UPLOAD: Final = """
SELECT a.job_id, j.kind, a.path, a.object_key, a.size_bytes, a.root, a.sha256, a.media_type
  FROM artifacts AS a JOIN jobs AS j ON j.id = a.job_id
 WHERE j.upload_id = %s ORDER BY j.position, j.id, a.path
"""


async def of_upload(tx: Tx, upload_id: UUID) -> list[Artifact]:
    """Return all artifacts of an upload, in the order of its jobs."""
    cursor = await tx.execute(_OF_UPLOAD, [upload_id])
    return msgspec.convert(await cursor.fetchall(), list[Artifact])


_KEPT: Final = "SELECT position, result FROM job_pieces WHERE job_id = %s AND task = %s"


async def kept_pieces(tx: Tx, job_id: UUID, task: bytes) -> Mapping[int, bytes]:
    """Return what earlier attempts, or this one, found by the same task."""
    cursor = await tx.execute(_KEPT, [job_id, task])
    return {row["position"]: row["result"] for row in await cursor.fetchall()}


# Another attempt would write the same: only a job that is over takes none any more.
_KEEP: Final = """
INSERT INTO job_pieces (job_id, task, position, result)
SELECT id, %(task)s, %(position)s, %(result)s FROM jobs
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
ON CONFLICT DO NOTHING
"""


async def keep_piece(tx: Tx, job: Job, task: bytes, position: int, result: bytes) -> None:
    """Keep what a part of a job found."""
    values = {
        "id": job.id,
        "attempt": job.attempt,
        "task": task,
        "position": position,
        "result": result,
    }
    await tx.execute(_KEEP, values)


_DROP: Final = "DELETE FROM job_pieces WHERE job_id = %s"


async def drop_pieces(tx: Tx, job_id: UUID) -> None:
    """Forget the parts of a job that has ended."""
    await tx.execute(_DROP, [job_id])
