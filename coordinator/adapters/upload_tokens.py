"""What Postgres says of an upload token: its upload, its time, and the key that made it."""

from typing import Final

from coordinator.adapters.postgres import Tx
from coordinator.domain.keys import is_key_id
from coordinator.domain.upload_tokens import UploadToken

# A key that expired, or was rotated, has ended in peace: what it made lives on for its short time.
_VOUCH: Final = """
SELECT (%(expires)s - extract(epoch FROM clock_timestamp()))::float8 AS seconds_left
  FROM uploads
 WHERE id = %(upload_id)s AND tenant = %(tenant)s AND user_id = %(user_id)s
   AND erasing_since IS NULL
   AND clock_timestamp() < to_timestamp(%(expires)s)
   AND (NOT %(by_key)s::boolean
        OR EXISTS (SELECT FROM api_keys WHERE id = %(maker)s AND revoked_at IS NULL))
"""


async def seconds_left(tx: Tx, token: UploadToken) -> float | None:
    """Return for how long a token of ours can be used; ``None``: it cannot."""
    values = {
        "upload_id": token.upload_id,
        "tenant": token.tenant,
        "user_id": token.user_id,
        "expires": token.expires,
        "maker": token.maker,
        "by_key": is_key_id(token.maker),
    }
    row = await (await tx.execute(_VOUCH, values)).fetchone()
    return None if row is None else float(row["seconds_left"])
