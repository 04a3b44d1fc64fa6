"""The tables ``audit_chain`` and ``audit_heads``, and ``audit`` as the chain reads it."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.audit_chain import FIRST, Entry, Head, Link, spell

_DEEPEST: Final = 500  # brackets; facts of ours have a few


class Place(msgspec.Struct, frozen=True):
    """The end of a chain: its last position and hash."""

    position: int
    hash: bytes


class Waiting(msgspec.Struct, frozen=True):
    """Rows that are not chained yet."""

    count: int
    oldest: timedelta | None


# A row may be committed after others with greater ids were chained, so "greater than the last"
# would miss it. The newest are looked through often, all of them now and then.
_FIND_TENANTS: Final = """
SELECT DISTINCT tenant FROM audit a
 WHERE id > least((SELECT coalesce(max(audit_id), 0) FROM audit_chain),
                  (SELECT max(id) FROM audit)) - %(back)s
   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)
 ORDER BY tenant
"""


async def find_tenants(tx: Tx, *, back: int) -> list[str]:
    """Return the tenants with rows to be chained, among those up to ``back`` before the last id."""
    rows = await (await tx.execute(_FIND_TENANTS, {"back": back})).fetchall()
    return [row["tenant"] for row in rows]


_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('audit-chain'), hashtext(%s))"


async def lock(tx: Tx, tenant: str) -> None:
    """Let nobody else chain this tenant's rows until the transaction ends."""
    await tx.execute(_LOCK, [tenant])


_END: Final = """
SELECT position, hash FROM audit_chain WHERE tenant = %s ORDER BY position DESC LIMIT 1
"""


async def end_of(tx: Tx, tenant: str) -> Place:
    """Return where the chain ends; position 0 where none begins."""
    row = await (await tx.execute(_END, [tenant])).fetchone()
    return Place(0, FIRST) if row is None else Place(row["position"], row["hash"])


_READ_UNCHAINED: Final = """
SELECT id, CASE WHEN at BETWEEN '1970-01-01Z' AND '9999-12-30Z' THEN at END AS at,
       tenant, actor, action, upload_id, subject, facts::text AS facts
  FROM audit a
 WHERE tenant = %(tenant)s AND id > %(after)s
   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)
 ORDER BY id LIMIT %(limit)s
"""


async def read_unchained(tx: Tx, tenant: str, *, after: int, limit: int) -> list[Entry]:
    """Return rows that are in no chain, the oldest first, from the id ``after`` on."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    rows = await (await tx.execute(_READ_UNCHAINED, values)).fetchall()
    return [_entry(row) for row in rows]


_ADD: Final = """
WITH added AS (
  INSERT INTO audit_chain (tenant, position, audit_id, hash)
  SELECT %(tenant)s, * FROM unnest(%(positions)s::bigint[], %(ids)s::bigint[], %(hashes)s::bytea[])
  RETURNING position
)
INSERT INTO audit_heads AS h (tenant, position)
SELECT %(tenant)s, max(position) FROM added
ON CONFLICT (tenant) DO UPDATE SET position = greatest(h.position, excluded.position)
"""


async def add(tx: Tx, tenant: str, links: Sequence[Link]) -> None:
    """Append links to a chain that is locked."""
    values = {
        "tenant": tenant,
        "positions": [link.position for link in links],
        "ids": [link.audit_id for link in links],
        "hashes": [link.hash for link in links],
    }
    await tx.execute(_ADD, values)


_DUE: Final = "SELECT tenant FROM audit_heads WHERE exported < position ORDER BY tenant"


async def find_unexported(tx: Tx) -> list[str]:
    """Return the tenants whose chain went further than the bucket knows."""
    return [row["tenant"] for row in await (await tx.execute(_DUE)).fetchall()]


_MARK: Final = """
UPDATE audit_heads SET exported = greatest(exported, %(position)s) WHERE tenant = %(tenant)s
"""


async def mark_exported(tx: Tx, tenant: str, position: int) -> None:
    """Note that the bucket knows the chain up to here."""
    await tx.execute(_MARK, {"tenant": tenant, "position": position})


_EXPORTED: Final = "SELECT exported FROM audit_heads WHERE tenant = %s"


async def exported(tx: Tx, tenant: str) -> int:
    """Return how far the bucket was told; 0: never."""
    row = await (await tx.execute(_EXPORTED, [tenant])).fetchone()
    return 0 if row is None else row["exported"]


_HEAD: Final = """
SELECT tenant, position, hash, chained_at FROM audit_chain
 WHERE tenant = %s ORDER BY position DESC LIMIT 1
"""


async def head_of(tx: Tx, tenant: str) -> Head | None:
    """Return the end of the chain with its time."""
    row = await (await tx.execute(_HEAD, [tenant])).fetchone()
    return None if row is None else msgspec.convert(row, Head)


_HASH_AT: Final = "SELECT hash FROM audit_chain WHERE tenant = %s AND position = %s"


async def hash_at(tx: Tx, tenant: str, position: int) -> bytes | None:
    """Return the hash of one link."""
    row = await (await tx.execute(_HASH_AT, [tenant, position])).fetchone()
    return None if row is None else row["hash"]


# Exclusive, held by the connection and not by a transaction: S3 is asked meanwhile.
_TAKE: Final = "SELECT pg_try_advisory_lock(hashtext('audit-head'), hashtext(%s)) AS taken"
_LEAVE: Final = "SELECT pg_advisory_unlock(hashtext('audit-head'), hashtext(%s))"


async def take_export(conn: Tx, tenant: str) -> bool:
    """Say whether this connection alone may write the tenant's head now, until it leaves it."""
    row = await (await conn.execute(_TAKE, [tenant])).fetchone()
    return row is not None and row["taken"]


async def leave_export(conn: Tx, tenant: str) -> None:
    """Let others write the head."""
    await conn.execute(_LEAVE, [tenant])


_READ_LINKS: Final = """
SELECT c.position, c.audit_id, c.hash, a.id,
       CASE WHEN a.at BETWEEN '1970-01-01Z' AND '9999-12-30Z' THEN a.at END AS at,
       a.tenant, a.actor, a.action, a.upload_id, a.subject, a.facts::text AS facts
  FROM audit_chain c LEFT JOIN audit a ON a.id = c.audit_id
 WHERE c.tenant = %(tenant)s AND c.position > %(after)s
 ORDER BY c.position LIMIT %(limit)s
"""


async def read_links(tx: Tx, tenant: str, *, after: int, limit: int) -> list[Link]:
    """Return links in their order with the rows that they are about."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    rows = await (await tx.execute(_READ_LINKS, values)).fetchall()
    return [
        Link(
            position=row["position"],
            audit_id=row["audit_id"],
            hash=row["hash"],
            entry=None if row["id"] is None else _entry(row),
        )
        for row in rows
    ]


_READ_OF_UPLOAD: Final = """
SELECT id, CASE WHEN at BETWEEN '1970-01-01Z' AND '9999-12-30Z' THEN at END AS at,
       tenant, actor, action, upload_id, subject, facts::text AS facts
  FROM audit
 WHERE upload_id = %(upload)s AND tenant = %(tenant)s AND id > %(after)s
 ORDER BY id LIMIT %(limit)s
"""


async def read_of_upload(
    tx: Tx, tenant: str, upload_id: UUID, *, after: int, limit: int
) -> list[Entry]:
    """Return rows about one upload, the oldest first, chained or not, from behind ``after`` on."""
    values = {"tenant": tenant, "upload": upload_id, "after": after, "limit": limit}
    return [_entry(row) for row in await (await tx.execute(_READ_OF_UPLOAD, values)).fetchall()]


_FIND_START: Final = """
SELECT coalesce(
  (SELECT min(c.position) - 1 FROM audit_chain c JOIN audit a ON a.id = c.audit_id
    WHERE c.tenant = %(tenant)s AND a.at >= %(since)s),
  (SELECT max(position) FROM audit_chain WHERE tenant = %(tenant)s),
  0) AS position
"""


async def position_before(tx: Tx, tenant: str, since: datetime) -> int:
    """Return the position after which everything of the tenant since then is found."""
    row = await (await tx.execute(_FIND_START, {"tenant": tenant, "since": since})).fetchone()
    assert row is not None
    return int(row["position"])


_WAITING: Final = """
SELECT count(*) AS count,
       clock_timestamp() - min(at) FILTER (WHERE isfinite(at)) AS oldest
  FROM audit a
 WHERE tenant = %s AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)
"""


async def waiting(tx: Tx, tenant: str) -> Waiting:
    """Count all rows of the tenant that are not chained yet."""
    row = await (await tx.execute(_WAITING, [tenant])).fetchone()
    assert row is not None
    return Waiting(row["count"], row["oldest"])


_TENANTS: Final = """
SELECT tenant FROM audit UNION SELECT tenant FROM audit_chain UNION SELECT tenant FROM audit_heads
 ORDER BY tenant
"""


async def all_tenants(tx: Tx) -> list[str]:
    """Return every tenant of which anything was noted."""
    return [row["tenant"] for row in await (await tx.execute(_TENANTS)).fetchall()]


def _entry(row: dict[str, Any]) -> Entry:
    return spell(
        row_id=row["id"],
        at=row["at"],
        tenant=row["tenant"],
        actor=row["actor"],
        action=row["action"],
        upload_id=row["upload_id"],
        subject=row["subject"],
        facts=_facts(row["facts"]),
    )


def _facts(text: str) -> Any:
    """Read facts; what no code of ours writes stays text, so that it cannot stop the chain."""
    if text.count("{") + text.count("[") > _DEEPEST:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
