"""The tables ``events`` and ``deliveries``: what happened, and which sink has heard of it.

Rule: an event is written in the transaction that made it true, for the sinks that want it then.
Rows belong to an upload and go with it (:mod:`coordinator.adapters.erasing`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from coordinator import tracing
from coordinator.adapters.postgres import Tx
from coordinator.domain.deliveries import LEASE, Claimed, Delivery, Outcome, Place, State
from coordinator.domain.events import Event, Recorded
from coordinator.domain.sinks import Sinks

_ADD: Final = """
WITH added AS (
  INSERT INTO events (id, tenant, upload_id, type, source, body, trace)
  SELECT id, tenant, upload_id, type, %(source)s, body, %(trace)s
    FROM unnest(%(ids)s::uuid[], %(tenants)s::text[], %(uploads)s::uuid[], %(types)s::text[],
                %(bodies)s::jsonb[]) AS given (id, tenant, upload_id, type, body)
  ON CONFLICT (id) DO NOTHING
  RETURNING id
)
INSERT INTO deliveries (event_id, sink)
SELECT wanted.event_id, wanted.sink
  FROM unnest(%(wanted)s::uuid[], %(sinks)s::text[]) AS wanted (event_id, sink)
  JOIN added ON added.id = wanted.event_id
"""


async def add(tx: Tx, sinks: Sinks, *events: Event) -> None:
    """Let events be sent to the sinks that want them, if ``tx`` commits.

    One round trip, and none where no sink wants any of them. An event that is there already stays
    as it is, and is not sent again.
    """
    wanting = {event.id: sinks.wanting(event.type) for event in events}
    wanted = [(event_id, sink) for event_id, names in wanting.items() for sink in names]
    if not wanted:
        return
    told = [event for event in events if wanting[event.id]]
    values: Mapping[str, Any] = {
        "source": sinks.source,
        "trace": tracing.carry().get("trace"),
        "ids": [event.id for event in told],
        "tenants": [event.tenant for event in told],
        "uploads": [event.upload_id for event in told],
        "types": [event.type.value for event in told],
        "bodies": [Jsonb(msgspec.to_builtins(event.data)) for event in told],
        "wanted": [event_id for event_id, _ in wanted],
        "sinks": [sink for _, sink in wanted],
    }
    await tx.execute(_ADD, values)


# now() and not the clock itself, so that the index ends the search.
_CLAIM: Final = """
WITH due AS (
  SELECT d.event_id, d.sink
    FROM deliveries AS d
    JOIN events AS e ON e.id = d.event_id
    LEFT JOIN uploads AS u ON u.id = e.upload_id
   WHERE d.sink = %(sink)s AND d.state = 'waiting' AND d.next_at <= now()
     AND u.erasing_since IS NULL
   ORDER BY d.next_at
   LIMIT %(limit)s
     FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries AS d SET attempt = d.attempt + 1, next_at = clock_timestamp() + %(lease)s
  FROM due JOIN events AS e ON e.id = due.event_id
 WHERE d.event_id = due.event_id AND d.sink = due.sink
RETURNING d.sink, d.attempt, d.made_before, e.id, e.type, e.source, e.upload_id, e.body,
          e.created_at, e.trace
"""


async def claim(tx: Tx, sink: str, *, limit: int) -> list[Claimed]:
    """Begin attempts to deliver what is due to a sink, those that waited longest first.

    Events of an upload that is being erased are left: they will be gone.
    """
    values = {"sink": sink, "limit": limit, "lease": LEASE}
    rows = await (await tx.execute(_CLAIM, values)).fetchall()
    return [
        Claimed(
            event=msgspec.convert(row, Recorded),
            sink=row["sink"],
            attempt=row["attempt"],
            made_before=row["made_before"],
        )
        for row in rows
    ]


_SETTLE: Final = """
UPDATE deliveries
   SET state = %(state)s, last_error = %(error)s, next_at = clock_timestamp() + %(pause)s,
       delivered_at = CASE WHEN %(state)s = 'delivered' THEN clock_timestamp() END
 WHERE event_id = %(event)s AND sink = %(sink)s AND attempt = %(attempt)s AND state = 'waiting'
RETURNING event_id
"""


async def settle(tx: Tx, claimed: Claimed, outcome: Outcome) -> bool:
    """Write how an attempt went; ``False``: a later one has begun, or the event is erased."""
    values = {
        "event": claimed.event.id,
        "sink": claimed.sink,
        "attempt": claimed.attempt,
        "state": outcome.state,
        "error": outcome.error,
        "pause": outcome.pause,
    }
    return await (await tx.execute(_SETTLE, values)).fetchone() is not None


_LIST: Final = """
SELECT d.event_id, d.sink, e.type, e.upload_id, d.state, d.attempt, d.last_error, d.next_at,
       e.created_at, d.delivered_at
  FROM events AS e JOIN deliveries AS d ON d.event_id = e.id
 WHERE e.tenant = %(tenant)s AND (%(state)s::text IS NULL OR d.state = %(state)s)
   AND (%(at)s::timestamptz IS NULL
        OR (e.created_at, e.id) < (%(at)s, %(event)s)
        OR (e.created_at, e.id) = (%(at)s, %(event)s) AND d.sink > %(sink)s)
 ORDER BY e.created_at DESC, e.id DESC, d.sink
 LIMIT %(limit)s
"""


async def newest(
    tx: Tx, tenant: str, *, state: State | None, after: Place | None, limit: int
) -> list[Delivery]:
    """Return deliveries of a tenant's events, those of the newest first."""
    values = {
        "tenant": tenant,
        "state": state,
        "at": None if after is None else after.created_at,
        "event": None if after is None else after.event_id,
        "sink": None if after is None else after.sink,
        "limit": limit,
    }
    return msgspec.convert(await (await tx.execute(_LIST, values)).fetchall(), list[Delivery])


_READ: Final = """
SELECT d.event_id, d.sink, e.type, e.upload_id, d.state, d.attempt, d.last_error, d.next_at,
       e.created_at, d.delivered_at
  FROM events AS e JOIN deliveries AS d ON d.event_id = e.id
 WHERE e.tenant = %(tenant)s AND d.event_id = %(event)s AND d.sink = %(sink)s
   FOR UPDATE OF d
"""


async def lock(tx: Tx, event_id: UUID, sink: str, *, tenant: str) -> Delivery | None:
    """Read a delivery and hold it until ``tx`` ends; ``None``: the tenant has none such."""
    values = {"tenant": tenant, "event": event_id, "sink": sink}
    row = await (await tx.execute(_READ, values)).fetchone()
    return None if row is None else msgspec.convert(row, Delivery)


_REVIVE: Final = """
UPDATE deliveries SET state = 'waiting', made_before = attempt, next_at = clock_timestamp()
 WHERE event_id = %(event)s AND sink = %(sink)s AND state = 'dead'
"""


async def revive(tx: Tx, event_id: UUID, sink: str) -> None:
    """Let a dead delivery be tried again, as often as a new one. Its error stands until then."""
    await tx.execute(_REVIVE, {"event": event_id, "sink": sink})


_OLDEST: Final = """
SELECT d.sink, extract(epoch FROM clock_timestamp() - min(e.created_at))::float8 AS age
  FROM deliveries AS d JOIN events AS e ON e.id = d.event_id
 WHERE d.state = 'waiting' AND d.sink = ANY (%s)
 GROUP BY d.sink
"""


async def ages(tx: Tx, sinks: Sequence[str]) -> dict[str, float]:
    """Return by sink for how many seconds the oldest event that it has not heard of waits."""
    rows = await (await tx.execute(_OLDEST, [list(sinks)])).fetchall()
    return {row["sink"]: row["age"] for row in rows}
