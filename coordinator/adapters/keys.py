"""The table ``api_keys``."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.access import Role, Scope


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One key as read at ``as_of``, without its secret."""

    id: str
    name: str
    tenant: str
    user_id: str
    roles: list[Role]
    scopes: list[Scope]
    created_at: datetime
    created_by: str | None
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None
    as_of: datetime

    @property
    def is_live(self) -> bool:
        """Whether it may be used."""
        has_expired = self.expires_at is not None and self.expires_at <= self.as_of
        return self.revoked_at is None and not has_expired


# The use is noted in the statement that looks the key up, once a minute and without waiting for
# whoever holds the row: a look-up stays one round trip, and mostly a read.
_FIND: Final = """
WITH used AS (
  UPDATE api_keys SET last_used_at = clock_timestamp()
   WHERE id = (SELECT id FROM api_keys
                WHERE id = %(id)s AND hash = %(hash)s AND revoked_at IS NULL
                  AND (expires_at IS NULL OR expires_at > clock_timestamp())
                  AND (last_used_at IS NULL
                       OR last_used_at < clock_timestamp() - interval '1 minute')
                  FOR NO KEY UPDATE SKIP LOCKED)
)
SELECT id, name, tenant, user_id, roles, scopes, created_at, created_by, last_used_at, expires_at,
       revoked_at, replaced_by, clock_timestamp() AS as_of, hash
  FROM api_keys
 WHERE id = %(id)s
"""


async def find(tx: Tx, key_id: str, *, key_hash: bytes) -> tuple[KeyRow, bytes] | None:
    """Return the key, an ended one too, and its hash; if ``key_hash`` is that, it is used.

    Comparing the two, and looking whether it is live, is the caller's business.
    """
    row = await (await tx.execute(_FIND, {"id": key_id, "hash": key_hash})).fetchone()
    return None if row is None else (msgspec.convert(row, KeyRow), row["hash"])


_ADD: Final = """
INSERT INTO api_keys (id, hash, name, tenant, user_id, roles, scopes, expires_at, created_by)
VALUES (%(id)s, %(hash)s, %(name)s, %(tenant)s, %(user_id)s, %(roles)s, %(scopes)s,
        clock_timestamp() + %(lifetime)s, %(created_by)s)
RETURNING id, name, tenant, user_id, roles, scopes, created_at, created_by, last_used_at,
          expires_at, revoked_at, replaced_by, clock_timestamp() AS as_of
"""


async def add(
    tx: Tx,
    key_id: str,
    *,
    key_hash: bytes,
    name: str,
    tenant: str,
    user_id: str,
    roles: Sequence[Role],
    scopes: Sequence[Scope],
    lifetime: timedelta | None,
    created_by: str | None = None,
) -> KeyRow:
    """Store a new key; without ``lifetime`` it ends by revocation only."""
    values = {
        "id": key_id,
        "hash": key_hash,
        "name": name,
        "tenant": tenant,
        "user_id": user_id,
        "roles": list(roles),
        "scopes": list(scopes),
        "lifetime": lifetime,
        "created_by": created_by,
    }
    row = await (await tx.execute(_ADD, values)).fetchone()
    return msgspec.convert(row, KeyRow)


_LIST: Final = """
SELECT id, name, tenant, user_id, roles, scopes, created_at, created_by, last_used_at, expires_at,
       revoked_at, replaced_by, clock_timestamp() AS as_of
  FROM api_keys
 WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s
 ORDER BY created_at, id
"""


async def list_all(tx: Tx, *, tenant: str | None = None) -> list[KeyRow]:
    """Return all keys, of one tenant or of all, the revoked ones too."""
    cursor = await tx.execute(_LIST, {"tenant": tenant})
    return msgspec.convert(await cursor.fetchall(), list[KeyRow])


_NEWEST: Final = """
SELECT id, name, tenant, user_id, roles, scopes, created_at, created_by, last_used_at, expires_at,
       revoked_at, replaced_by, clock_timestamp() AS as_of
  FROM api_keys
 WHERE tenant = %(tenant)s
   AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(id)s::text))
 ORDER BY created_at DESC, id DESC
 LIMIT %(limit)s
"""


async def newest(
    tx: Tx, *, tenant: str, after: tuple[datetime, str] | None, limit: int
) -> list[KeyRow]:
    """Return a tenant's keys, newest first, from behind ``after`` on; the revoked ones too."""
    at, key_id = after or (None, None)
    values = {"tenant": tenant, "at": at, "id": key_id, "limit": limit}
    cursor = await tx.execute(_NEWEST, values)
    return msgspec.convert(await cursor.fetchall(), list[KeyRow])


_LOCK: Final = """
SELECT held.*, clock_timestamp() AS as_of  -- outside, so read once the lock is ours
  FROM (SELECT id, name, tenant, user_id, roles, scopes, created_at, created_by, last_used_at,
               expires_at, revoked_at, replaced_by
          FROM api_keys
         WHERE id = %(id)s AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
           FOR UPDATE) AS held
"""


async def lock(tx: Tx, key_id: str, *, tenant: str | None) -> KeyRow | None:
    """Read a key and hold it until ``tx`` ends. ``tenant``: ``None`` for the command line only."""
    row = await (await tx.execute(_LOCK, {"id": key_id, "tenant": tenant})).fetchone()
    return None if row is None else msgspec.convert(row, KeyRow)


_SUCCEED: Final = """
INSERT INTO api_keys (id, hash, name, tenant, user_id, roles, scopes, expires_at, created_by)
SELECT %(new)s, %(hash)s, name, tenant, user_id, roles, scopes, expires_at, %(created_by)s
  FROM api_keys WHERE id = %(old)s
RETURNING id, name, tenant, user_id, roles, scopes, created_at, created_by, last_used_at,
          expires_at, revoked_at, replaced_by, clock_timestamp() AS as_of
"""
_REPLACE: Final = """
UPDATE api_keys
   SET replaced_by = %(new)s, expires_at = least(expires_at, clock_timestamp() + %(grace)s)
 WHERE id = %(old)s
"""


async def succeed(
    tx: Tx,
    old_id: str,
    new_id: str,
    *,
    key_hash: bytes,
    grace: timedelta,
    created_by: str | None,
) -> KeyRow:
    """Store a key that is good for what the old one is; that one goes on for ``grace``."""
    values = {
        "old": old_id,
        "new": new_id,
        "hash": key_hash,
        "grace": grace,
        "created_by": created_by,
    }
    row = await (await tx.execute(_SUCCEED, values)).fetchone()
    await tx.execute(_REPLACE, values)
    return msgspec.convert(row, KeyRow)


_REVOKE: Final = """
UPDATE api_keys SET revoked_at = clock_timestamp()
 WHERE id = %(id)s AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s) AND revoked_at IS NULL
RETURNING id, name, tenant, user_id, roles, scopes, created_at, created_by, last_used_at,
          expires_at, revoked_at, replaced_by, clock_timestamp() AS as_of
"""


async def revoke(tx: Tx, key_id: str, *, tenant: str | None = None) -> KeyRow | None:
    """End a key, an expired one too: with it end the upload tokens that it made.

    ``None`` when there is none with this id, or it is revoked. ``tenant``: as for :func:`lock`.
    """
    row = await (await tx.execute(_REVOKE, {"id": key_id, "tenant": tenant})).fetchone()
    return None if row is None else msgspec.convert(row, KeyRow)
