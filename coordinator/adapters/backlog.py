"""What waits, and who is there to do it: reads over queue, workers and deliveries, all by index."""

from datetime import datetime
from typing import Final

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.phases import Phase

# procrastinate's workers say every 10 s that they live.
ALIVE_SECONDS: Final = 30
_MOST: Final = 10_000  # counted of one thing; more is no other news
_MOST_WORKERS: Final = 100


class Worker(msgspec.Struct, frozen=True):
    """A worker that has not ended properly, and when it was last heard of."""

    id: int
    last_heartbeat: datetime
    is_alive: bool


class Line(msgspec.Struct, frozen=True):
    """Of one kind of job, how many wait for a worker, since when the first, and how many run."""

    kind: str
    queued: int
    running: int
    oldest_seconds: float | None


class Post(msgspec.Struct, frozen=True):
    """Of one sink, the events that it has not heard of, and those that were given up."""

    sink: str
    waiting: int
    dead: int
    oldest_seconds: float | None


_WORKERS: Final = """
SELECT id, last_heartbeat,
       last_heartbeat > clock_timestamp() - make_interval(secs => %(alive)s) AS is_alive
  FROM procrastinate_workers ORDER BY last_heartbeat DESC, id LIMIT %(most)s
"""


async def workers(tx: Tx) -> list[Worker]:
    """Return the workers of all tenants, those heard of last first."""
    values = {"alive": ALIVE_SECONDS, "most": _MOST_WORKERS}
    return msgspec.convert(await (await tx.execute(_WORKERS, values)).fetchall(), list[Worker])


_LINES: Final = """
SELECT kind, count(*) FILTER (WHERE state = 'queued') AS queued,
       count(*) FILTER (WHERE state = 'running') AS running,
       extract(epoch FROM clock_timestamp() - min(queued_at) FILTER (WHERE state = 'queued')
              )::float8 AS oldest_seconds
  FROM ((SELECT j.kind, j.state, j.queued_at FROM jobs AS j JOIN uploads AS u ON u.id = j.upload_id
          WHERE j.state = 'queued' AND u.tenant = %(tenant)s LIMIT %(most)s)
        UNION ALL
        (SELECT j.kind, j.state, j.queued_at FROM jobs AS j JOIN uploads AS u ON u.id = j.upload_id
          WHERE j.state = 'running' AND u.tenant = %(tenant)s LIMIT %(most)s)) AS busy
 GROUP BY kind ORDER BY kind
"""


async def lines(tx: Tx, tenant: str) -> list[Line]:
    """Return the queues of a tenant's jobs; a kind with nothing in it has none."""
    cursor = await tx.execute(_LINES, {"tenant": tenant, "most": _MOST})
    return msgspec.convert(await cursor.fetchall(), list[Line])


_POSTS: Final = """
SELECT sink, count(*) FILTER (WHERE state = 'waiting') AS waiting,
       count(*) FILTER (WHERE state = 'dead') AS dead,
       extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE state = 'waiting')
              )::float8 AS oldest_seconds
  FROM ((SELECT d.sink, d.state, e.created_at
           FROM deliveries AS d JOIN events AS e ON e.id = d.event_id
          WHERE d.state = 'waiting' AND e.tenant = %(tenant)s LIMIT %(most)s)
        UNION ALL
        (SELECT d.sink, d.state, e.created_at
           FROM deliveries AS d JOIN events AS e ON e.id = d.event_id
          WHERE d.state = 'dead' AND e.tenant = %(tenant)s LIMIT %(most)s)) AS unheard
 GROUP BY sink ORDER BY sink
"""


async def posts(tx: Tx, tenant: str) -> list[Post]:
    """Return the sinks that have not heard of everything of a tenant."""
    cursor = await tx.execute(_POSTS, {"tenant": tenant, "most": _MOST})
    return msgspec.convert(await cursor.fetchall(), list[Post])


_OPEN: Final = """
SELECT phase, count(*) AS uploads
  FROM (SELECT phase FROM uploads
         WHERE tenant = %(tenant)s AND phase IN ('INIT', 'UPLOADING', 'ASSEMBLING')
           AND erasing_since IS NULL LIMIT %(most)s) AS held
 GROUP BY phase
"""


async def open_uploads(tx: Tx, tenant: str) -> dict[Phase, int]:
    """Count a tenant's open uploads by phase; a phase without any is not there."""
    cursor = await tx.execute(_OPEN, {"tenant": tenant, "most": _MOST})
    return {Phase(row["phase"]): row["uploads"] for row in await cursor.fetchall()}
