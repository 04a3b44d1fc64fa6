"""The table ``capabilities``: what each bucket turned out not to do when it was last probed."""

from typing import Final

from coordinator.adapters.postgres import Tx
from coordinator.domain.capabilities import Capabilities, Check

_KEEP: Final = """
INSERT INTO capabilities (endpoint, bucket, lacking) VALUES (%(endpoint)s, %(bucket)s, %(lacking)s)
ON CONFLICT (endpoint, bucket) DO UPDATE
   SET lacking = excluded.lacking, probed_at = clock_timestamp()
"""


async def keep(tx: Tx, capabilities: Capabilities, *, endpoint: str, bucket: str) -> None:
    """Note what a probe found, in place of what an earlier one did."""
    lacking = sorted(capabilities.lacking)
    await tx.execute(_KEEP, {"endpoint": endpoint, "bucket": bucket, "lacking": lacking})


_READ: Final = """
SELECT lacking FROM capabilities WHERE endpoint = %(endpoint)s AND bucket = %(bucket)s
"""


async def read(tx: Tx, *, endpoint: str, bucket: str) -> Capabilities | None:
    """Return what the last probe found, if there was one."""
    row = await (await tx.execute(_READ, {"endpoint": endpoint, "bucket": bucket})).fetchone()
    if row is None:
        return None
    # A release before or after this one may know other checks.
    return Capabilities(frozenset(Check(name) for name in row["lacking"] if name in set(Check)))
