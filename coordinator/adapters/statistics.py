"""The table ``statistics``, which a trigger on ``uploads`` counts. Hours are counted from that."""

from datetime import date
from typing import Final

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.statistics import By, Count, Every, Span

_TODAY: Final = "SELECT day_of(clock_timestamp()) AS today"


async def today(tx: Tx) -> date:
    """Return the day by the database's clock, UTC."""
    row = await (await tx.execute(_TODAY)).fetchone()
    assert row is not None, "a SELECT without FROM has a row"
    day: date = row["today"]
    return day


# "C": the order of a page's end is the order of the next one's start, whatever the database's is.
_READ: Final = """
SELECT * FROM (
  SELECT CASE %(by)s WHEN 'userId' THEN user_id WHEN 'fileType' THEN file_type ELSE tenant END
           COLLATE "C" AS key,
         to_char(day, CASE %(every)s WHEN 'month' THEN 'YYYY-MM' ELSE 'YYYY-MM-DD' END)
           COLLATE "C" AS period,
         sum(opened)::bigint AS opened, sum(completed)::bigint AS completed,
         sum(failed)::bigint AS failed, sum(bytes)::bigint AS bytes
    FROM statistics
   WHERE day BETWEEN %(first)s AND %(last)s
     AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
     AND (%(user)s::text IS NULL OR user_id = %(user)s)
   GROUP BY 1, 2
) AS counted
 WHERE %(period)s::text IS NULL OR (period, key) > (%(period)s, %(key)s)
 ORDER BY period, key
 LIMIT %(limit)s
"""


# Of one tenant, by its indexes of when uploads were opened and when they ended.
_HOURS: Final = """
WITH happened AS (
  SELECT created_at AS at, user_id, file_type, 1 AS opened, 0 AS completed, 0 AS failed, 0 AS bytes
    FROM uploads
   WHERE tenant = %(tenant)s AND erasing_since IS NULL
     AND created_at >= %(first)s::timestamp AT TIME ZONE 'UTC'
     AND created_at < (%(last)s::date + 1)::timestamp AT TIME ZONE 'UTC'
  UNION ALL
  SELECT finished_at, user_id, file_type, 0, (phase = 'COMPLETED')::int, (phase = 'FAILED')::int,
         CASE phase WHEN 'COMPLETED' THEN size_bytes ELSE 0 END
    FROM uploads
   WHERE tenant = %(tenant)s AND erasing_since IS NULL
     AND finished_at >= %(first)s::timestamp AT TIME ZONE 'UTC'
     AND finished_at < (%(last)s::date + 1)::timestamp AT TIME ZONE 'UTC'
)
SELECT * FROM (
  SELECT CASE %(by)s WHEN 'userId' THEN user_id
                     WHEN 'fileType' THEN lower(trim(split_part(file_type, ';', 1)))
                     ELSE %(tenant)s END COLLATE "C" AS key,
         to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24') COLLATE "C" AS period,
         sum(opened)::bigint AS opened, sum(completed)::bigint AS completed,
         sum(failed)::bigint AS failed, sum(bytes)::bigint AS bytes
    FROM happened
   WHERE %(user)s::text IS NULL OR user_id = %(user)s
   GROUP BY 1, 2
) AS counted
 WHERE %(period)s::text IS NULL OR (period, key) > (%(period)s, %(key)s)
 ORDER BY period, key
 LIMIT %(limit)s
"""


async def read(
    tx: Tx,
    days: Span,
    *,
    by: By,
    every: Every,
    tenant: str | None,
    user: str | None,
    after: tuple[str, str] | None,
    limit: int,
) -> list[Count]:
    """Count, from behind ``after`` on; ``None`` as tenant or user: all. Hours are of one tenant."""
    period, key = after or (None, None)
    values = {
        "by": by,
        "every": every,
        "first": days.first,
        "last": days.last,
        "tenant": tenant,
        "user": user,
        "period": period,
        "key": key,
        "limit": limit,
    }
    cursor = await tx.execute(_HOURS if every is Every.HOUR else _READ, values)
    return msgspec.convert(await cursor.fetchall(), list[Count])
