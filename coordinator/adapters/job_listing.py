"""Reads of ``jobs`` over many uploads: pages for operators, throughput, the queue's depth."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.jobs import Job, State
from coordinator.domain.kinds import Kind
from coordinator.domain.uploads import Owner


class Wanted(msgspec.Struct, frozen=True):
    """Which jobs to list; ``None``: whichever."""

    kind: Kind | None = None
    state: State | None = None
    upload_id: UUID | None = None


_NEWEST: Final = """
SELECT j.*
  FROM jobs AS j JOIN uploads AS u ON u.id = j.upload_id
 WHERE u.tenant = %(tenant)s AND (%(user)s::text IS NULL OR u.user_id = %(user)s)
   AND u.erasing_since IS NULL
   AND (%(kind)s::text IS NULL OR j.kind = %(kind)s)
   AND (%(state)s::text IS NULL OR j.state = %(state)s)
   AND (%(upload)s::uuid IS NULL OR j.upload_id = %(upload)s)
   AND (%(at)s::timestamptz IS NULL OR (j.created_at, j.id) < (%(at)s, %(id)s))
 ORDER BY j.created_at DESC, j.id DESC
 LIMIT %(limit)s
"""


async def newest(
    tx: Tx, owner: Owner, wanted: Wanted, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Job]:
    """Return a page of jobs, the newest first."""
    at, job_id = after or (None, None)
    values = {
        "tenant": owner.tenant,
        "user": owner.user,
        "kind": wanted.kind,
        "state": wanted.state,
        "upload": wanted.upload_id,
        "at": at,
        "id": job_id,
        "limit": limit,
    }
    cursor = await tx.execute(_NEWEST, values)
    return msgspec.convert(await cursor.fetchall(), list[Job])


# Of each kind's last 200 the 20 nearest in size: a small file says little of a large one.
_SECONDS: Final = """
SELECT k.kind, (
    SELECT sum(extract(epoch FROM n.finished_at - n.started_at)) / sum(n.size_bytes + 1)
      FROM (SELECT j.started_at, j.finished_at, u.size_bytes
              FROM (SELECT upload_id, started_at, finished_at FROM jobs
                     WHERE state = 'succeeded' AND kind = k.kind
                     ORDER BY finished_at DESC LIMIT 200) AS j
              JOIN uploads AS u ON u.id = j.upload_id
             ORDER BY abs(ln(u.size_bytes + 1) - ln(%(size)s::bigint + 1)) LIMIT 20) AS n
   ) * (%(size)s::bigint + 1) AS seconds
  FROM unnest(%(kinds)s::text[]) AS k (kind)
"""


async def measured_seconds(
    tx: Tx, kinds: list[Kind], *, size_bytes: int
) -> Mapping[Kind, float | None]:
    """Say how long jobs of these kinds took, scaled to so many bytes; ``None``: none has run."""
    cursor = await tx.execute(_SECONDS, {"kinds": kinds, "size": size_bytes})
    return {
        Kind(row["kind"]): None if row["seconds"] is None else float(row["seconds"])
        for row in await cursor.fetchall()
    }


class Depth(msgspec.Struct, frozen=True):
    """How many jobs of a kind wait for a worker, and how long the oldest has."""

    kind: str
    jobs: int
    oldest_seconds: float


_DEPTH: Final = """
SELECT kind, count(*) AS jobs,
       extract(epoch FROM clock_timestamp() - min(queued_at))::float8 AS oldest_seconds
  FROM jobs WHERE state = 'queued' GROUP BY kind
"""


async def depths(tx: Tx) -> list[Depth]:
    """Return what waits, by kind."""
    cursor = await tx.execute(_DEPTH)
    return msgspec.convert(await cursor.fetchall(), list[Depth])
