"""The table ``retention``: how long a tenant's finished objects are kept, by purpose."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.uploads import Upload

RetentionAction = Literal["delete", "archive"]

ANY: Final = "*"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of COMPLETED uploads of a purpose, so many days after they were; `*`: others."""

    purpose: str
    after_days: int
    action: RetentionAction


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """How much a rule would do now."""

    purpose: str
    action: RetentionAction
    uploads: int
    bytes: int


_READ: Final = """
SELECT purpose, after_days, action FROM retention WHERE tenant = %s ORDER BY purpose
"""


async def read(tx: Tx, tenant: str) -> list[Rule]:
    """Return the tenant's rules."""
    return msgspec.convert(await (await tx.execute(_READ, [tenant])).fetchall(), list[Rule])


_CLEAR: Final = "DELETE FROM retention WHERE tenant = %s"
_ADD: Final = """
INSERT INTO retention (tenant, purpose, after_days, action)
VALUES (%(tenant)s, %(purpose)s, %(after_days)s, %(action)s)
ON CONFLICT (tenant, purpose) DO UPDATE
   SET after_days = excluded.after_days, action = excluded.action
"""


async def replace(tx: Tx, tenant: str, rules: Sequence[Rule]) -> None:
    """Let these be the tenant's rules, and no others."""
    await tx.execute(_CLEAR, [tenant])
    for rule in rules:
        await tx.execute(_ADD, {**msgspec.structs.asdict(rule), "tenant": tenant})


_DUE: Final = """
SELECT u.*, d.action AS due_action, clock_timestamp() AS as_of
  FROM retention_due AS d JOIN uploads AS u ON u.id = d.upload_id
 WHERE u.id <> ALL (%(seen)s)
 ORDER BY u.finished_at, u.id
 LIMIT %(limit)s
"""


class DueUpload(msgspec.Struct, frozen=True):
    """An upload that a rule applies to now."""

    upload: Upload
    action: RetentionAction


async def due(tx: Tx, *, seen: Sequence[object], limit: int) -> list[DueUpload]:
    """Return uploads of all tenants that are due, the longest first, but for those ``seen``."""
    rows = await (await tx.execute(_DUE, {"seen": list(seen), "limit": limit})).fetchall()
    return [DueUpload(as_upload(row), row["due_action"]) for row in rows]


_PREVIEW: Final = """
SELECT r.purpose, r.action, count(u.id) AS uploads, coalesce(sum(u.size_bytes), 0)::bigint AS bytes
  FROM retention AS r
  LEFT JOIN retention_due AS d ON d.tenant = r.tenant AND d.purpose = r.purpose
  LEFT JOIN uploads AS u ON u.id = d.upload_id
 WHERE r.tenant = %s
 GROUP BY r.purpose, r.action
 ORDER BY r.purpose
"""


async def preview(tx: Tx, tenant: str) -> list[Due]:
    """Return what the tenant's rules would do now, a row a rule."""
    return msgspec.convert(await (await tx.execute(_PREVIEW, [tenant])).fetchall(), list[Due])


_ARCHIVED: Final = """
UPDATE uploads SET archived_at = clock_timestamp()
 WHERE id = %s AND archived_at IS NULL AND erasing_since IS NULL AND phase = 'COMPLETED'
RETURNING id
"""


async def mark_archived(tx: Tx, upload: Upload) -> bool:
    """Note that the object is tagged; ``False`` when somebody else has, or it is being erased."""
    return await (await tx.execute(_ARCHIVED, [upload.id])).fetchone() is not None
