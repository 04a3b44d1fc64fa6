"""The tables ``quotas`` and ``usage``. What is used is counted by a trigger, never here."""

from typing import Final

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.quotas import QuotaRow, Quotas, Standing, Usage

# One row always, also for a tenant that never opened an upload. Yesterday's bytes count no more.
_STANDING: Final = """
SELECT coalesce(own.open_uploads, given.open_uploads) AS open_uploads,
       coalesce(own.bytes_a_day, given.bytes_a_day) AS bytes_a_day,
       coalesce(own.stored_bytes, given.stored_bytes) AS stored_bytes,
       coalesce(own.largest_file, given.largest_file) AS largest_file,
       coalesce(own.chunks_a_second, given.chunks_a_second) AS chunks_a_second,
       coalesce(own.file_types, given.file_types) AS file_types,
       coalesce(own.type_check, given.type_check, 'note') AS type_check,
       coalesce(kept.open_uploads, 0) AS used_uploads,
       coalesce(kept.stored_bytes, 0) AS used_bytes,
       CASE WHEN kept.day >= today.day THEN kept.day_bytes ELSE 0 END AS used_today,
       greatest(kept.day, today.day) AS today
  FROM (SELECT day_of(clock_timestamp()) AS day) AS today
  LEFT JOIN usage AS kept ON kept.tenant = %(tenant)s
  LEFT JOIN quotas AS own ON own.tenant = %(tenant)s
  LEFT JOIN quotas AS given ON given.tenant = '*'
"""


async def standing(tx: Tx, tenant: str) -> Standing:
    """Return what the tenant may use, and what it uses."""
    row = await (await tx.execute(_STANDING, {"tenant": tenant})).fetchone()
    assert row is not None, "it always has one"
    usage = Usage(
        open_uploads=row["used_uploads"],
        stored_bytes=row["used_bytes"],
        day_bytes=row["used_today"],
        day=row["today"],
    )
    return Standing(msgspec.convert(row, Quotas), usage)


async def effective(tx: Tx, tenant: str) -> Quotas:
    """Return what holds for the tenant: field by field its own, else the default, else no limit."""
    return (await standing(tx, tenant)).quotas


_OWN: Final = """
SELECT open_uploads, bytes_a_day, stored_bytes, largest_file, chunks_a_second, file_types,
       type_check
  FROM quotas WHERE tenant = %s
"""


async def own(tx: Tx, tenant: str) -> QuotaRow:
    """Return what the tenant's own row says, which is nothing where there is none."""
    row = await (await tx.execute(_OWN, [tenant])).fetchone()
    return msgspec.convert(row or {}, QuotaRow)


_HOLD: Final = """
INSERT INTO quotas (tenant) VALUES (%(tenant)s)
ON CONFLICT (tenant) DO UPDATE SET tenant = excluded.tenant
"""


async def hold(tx: Tx, tenant: str) -> QuotaRow:
    """Return the tenant's own row, and let nobody else change it until ``tx`` ends."""
    await tx.execute(_HOLD, {"tenant": tenant})
    return await own(tx, tenant)


_REPLACE: Final = """
UPDATE quotas
   SET open_uploads = %(open_uploads)s, bytes_a_day = %(bytes_a_day)s,
       stored_bytes = %(stored_bytes)s, largest_file = %(largest_file)s,
       chunks_a_second = %(chunks_a_second)s, file_types = %(file_types)s,
       type_check = %(type_check)s, updated_at = clock_timestamp()
 WHERE tenant = %(tenant)s
"""


async def replace(tx: Tx, tenant: str, row: QuotaRow) -> None:
    """Make ``row`` the tenant's own, which ``tx`` holds; what it leaves out is the default's."""
    await tx.execute(_REPLACE, {"tenant": tenant, **msgspec.structs.asdict(row)})
