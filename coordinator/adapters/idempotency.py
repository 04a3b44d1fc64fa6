"""The table ``idempotency_keys``: an Idempotency-Key names an upload for 24 hours."""

from typing import Final
from uuid import UUID

from coordinator.adapters.postgres import Tx
from coordinator.domain.errors import IdempotencyConflictError

# An expired key is taken over in place; a live one is left alone and read below.
_CLAIM: Final = """
INSERT INTO idempotency_keys AS kept (tenant, user_id, key, body_sha256, upload_id)
VALUES (%(tenant)s, %(user_id)s, %(key)s, %(body_sha256)s, %(upload_id)s)
ON CONFLICT (tenant, user_id, key) DO UPDATE
   SET body_sha256 = excluded.body_sha256, upload_id = excluded.upload_id,
       created_at = clock_timestamp()
 WHERE kept.created_at < clock_timestamp() - interval '24 hours'
RETURNING upload_id
"""

_READ: Final = """
SELECT body_sha256, upload_id FROM idempotency_keys
 WHERE tenant = %(tenant)s AND user_id = %(user_id)s AND key = %(key)s
"""


async def claim(
    tx: Tx, *, tenant: str, user_id: str, key: str, body_sha256: bytes, upload_id: UUID
) -> UUID:
    """Bind ``key`` to ``upload_id``, or return the upload that it is bound to.

    A second request with the same key waits here until the first has committed.

    Raises:
        IdempotencyConflictError: it was used with another body.

    """
    values = {
        "tenant": tenant,
        "user_id": user_id,
        "key": key,
        "body_sha256": body_sha256,
        "upload_id": upload_id,
    }
    if await (await tx.execute(_CLAIM, values)).fetchone() is not None:
        return upload_id
    row = await (await tx.execute(_READ, values)).fetchone()
    assert row is not None, "a key that conflicts exists"
    if row["body_sha256"] != body_sha256:
        raise IdempotencyConflictError
    bound: UUID = row["upload_id"]
    return bound


_REBIND: Final = """
UPDATE idempotency_keys SET upload_id = %(upload_id)s
 WHERE tenant = %(tenant)s AND user_id = %(user_id)s AND key = %(key)s
"""


async def rebind(tx: Tx, *, tenant: str, user_id: str, key: str, upload_id: UUID) -> None:
    """Point ``key`` at the open upload that was found instead of a new one."""
    values = {"tenant": tenant, "user_id": user_id, "key": key, "upload_id": upload_id}
    await tx.execute(_REBIND, values)
