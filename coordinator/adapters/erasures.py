"""The table ``erasures``: what was asked to be erased, who is at it, and the report."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.domain.erasures import Erasure, Report
from coordinator.domain.errors import ErasureNotFoundError


class NewErasure(msgspec.Struct, frozen=True, kw_only=True):
    """A row that does not exist yet. Either an upload is named or a user."""

    id: UUID
    tenant: str
    upload_id: UUID | None = None
    user_id: str | None = None
    cause: str = "request"
    is_dry_run: bool = False
    requested_by: str


# What is hidden is counted as it stands now; the rest is in the report for ever.
_READ: Final = """
SELECT e.id, e.tenant, e.upload_id, e.user_id, e.cause, e.is_dry_run, e.requested_by,
       e.requested_at, e.finished_at,
       e.report || (SELECT jsonb_build_object('remaining', count(*), 'refused',
                                              coalesce(sum((u.found->>'refused')::bigint), 0))
                      FROM uploads AS u
                     WHERE u.erasure_id = e.id AND u.erasing_since IS NOT NULL) AS report
  FROM erasures AS e
 WHERE e.tenant = %(tenant)s
   AND (%(id)s::uuid IS NULL OR e.id = %(id)s)
   AND (%(at)s::timestamptz IS NULL OR (e.requested_at, e.id) < (%(at)s, %(last)s::uuid))
 ORDER BY e.requested_at DESC, e.id DESC
 LIMIT %(limit)s
"""


def _as_erasure(row: DictRow) -> Erasure:
    return msgspec.convert(row, Erasure)


_INSERT: Final = """
INSERT INTO erasures (id, tenant, upload_id, user_id, cause, is_dry_run, requested_by)
VALUES (%(id)s, %(tenant)s, %(upload_id)s, %(user_id)s, %(cause)s, %(is_dry_run)s,
        %(requested_by)s)
ON CONFLICT DO NOTHING
RETURNING id, tenant, upload_id, user_id, cause, is_dry_run, requested_by, requested_at,
          finished_at, report
"""

_UNDER_WAY: Final = """
SELECT id FROM erasures
 WHERE tenant = %(tenant)s AND is_dry_run = %(is_dry_run)s AND finished_at IS NULL
   AND (upload_id = %(upload_id)s OR user_id = %(user_id)s)
"""


async def begin(tx: Tx, new: NewErasure) -> tuple[Erasure, bool]:
    """Add the row, or find the one under way for the same; say whether it is new."""
    values = msgspec.structs.asdict(new)
    while True:
        row = await (await tx.execute(_INSERT, values)).fetchone()
        if row is not None:
            return _as_erasure(row), True
        row = await (await tx.execute(_UNDER_WAY, values)).fetchone()
        if row is not None:  # else it was finished in between
            return await read(tx, row["id"], new.tenant), False


async def read(tx: Tx, erasure_id: UUID, tenant: str) -> Erasure:
    """Read one.

    Raises:
        ErasureNotFoundError: there is none in the tenant.

    """
    values = {"id": erasure_id, "tenant": tenant, "at": None, "last": None, "limit": 1}
    row = await (await tx.execute(_READ, values)).fetchone()
    if row is None:
        raise ErasureNotFoundError
    return _as_erasure(row)


async def newest(
    tx: Tx, tenant: str, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Erasure]:
    """Return a tenant's erasures, newest first, from behind ``after`` on."""
    at, last = after or (None, None)
    values = {"id": None, "tenant": tenant, "at": at, "last": last, "limit": limit}
    return [_as_erasure(row) for row in await (await tx.execute(_READ, values)).fetchall()]


_CLAIM: Final = """
UPDATE erasures SET lease_until = clock_timestamp() + %(lease)s
 WHERE id = (SELECT id FROM erasures
              WHERE finished_at IS NULL AND id <> ALL (%(seen)s)
                AND (lease_until IS NULL OR lease_until <= clock_timestamp())
              ORDER BY lease_until NULLS FIRST, requested_at
              LIMIT 1
                FOR UPDATE SKIP LOCKED)
RETURNING id, tenant, upload_id, user_id, cause, is_dry_run, requested_by, requested_at,
          finished_at, report
"""


async def claim(tx: Tx, *, lease: timedelta, seen: Sequence[UUID]) -> Erasure | None:
    """Take the one that has waited longest, but for those ``seen``; ``None``: nothing is due.

    A lease saves work and no more: two who do the same harm nobody.
    """
    row = await (await tx.execute(_CLAIM, {"lease": lease, "seen": list(seen)})).fetchone()
    return None if row is None else _as_erasure(row)


_LEASE: Final = """
UPDATE erasures SET lease_until = clock_timestamp() + %(lease)s
 WHERE id = %(id)s AND finished_at IS NULL
"""


async def lease(tx: Tx, erasure_id: UUID, lease: timedelta) -> None:
    """Let nobody go on with it before so long: the holder is at it, or it must wait."""
    await tx.execute(_LEASE, {"id": erasure_id, "lease": lease})


_LOCK: Final = """
SELECT report FROM erasures WHERE id = %s AND finished_at IS NULL FOR UPDATE
"""


async def lock_report(tx: Tx, erasure_id: UUID) -> Report | None:
    """Read the report and hold its row; ``None`` once the erasure is finished."""
    row = await (await tx.execute(_LOCK, [erasure_id])).fetchone()
    return None if row is None else msgspec.convert(row["report"], Report)


_WRITE: Final = """
UPDATE erasures
   SET report = %(report)s,
       finished_at = CASE WHEN %(finished)s THEN clock_timestamp() END,
       lease_until = CASE WHEN %(finished)s THEN NULL ELSE lease_until END
 WHERE id = %(id)s AND finished_at IS NULL
"""


async def write_report(tx: Tx, erasure_id: UUID, report: Report, *, finished: bool) -> None:
    """Write the report, in the transaction that makes it true."""
    values = {
        "id": erasure_id,
        "report": Jsonb(msgspec.to_builtins(report)),
        "finished": finished,
    }
    await tx.execute(_WRITE, values)
