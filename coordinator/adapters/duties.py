"""The table ``duties``: what one worker of many does, now and then."""

from datetime import timedelta
from typing import Final

from coordinator.adapters.postgres import Tx

_CLAIM: Final = """
INSERT INTO duties AS d (name, due_at) VALUES (%(name)s, clock_timestamp() + %(every)s)
ON CONFLICT (name) DO UPDATE SET due_at = clock_timestamp() + %(every)s
 WHERE d.due_at <= clock_timestamp()
RETURNING name
"""


async def claim(tx: Tx, name: str, *, every: timedelta) -> bool:
    """Say whether the duty is due and ours now; whoever else asks within ``every`` hears no."""
    row = await (await tx.execute(_CLAIM, {"name": name, "every": every})).fetchone()
    return row is not None
