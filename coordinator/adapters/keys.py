"""The table ``api_keys``."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.domain.access import Role, Scope


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One key, without its secret."""

    id: str
    name: str
    tenant: str
    user_id: str
    roles: list[Role]
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


_FIND: Final = """
SELECT id, name, tenant, user_id, roles, scopes, created_at, expires_at, revoked_at, hash
  FROM api_keys
 WHERE id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
"""


async def find_live(tx: Tx, key_id: str) -> tuple[KeyRow, bytes] | None:
    """Return the key and its hash if it may be used now."""
    row = await (await tx.execute(_FIND, [key_id])).fetchone()
    return None if row is None else (msgspec.convert(row, KeyRow), row["hash"])


_ADD: Final = """
INSERT INTO api_keys (id, hash, name, tenant, user_id, roles, scopes, expires_at)
VALUES (%(id)s, %(hash)s, %(name)s, %(tenant)s, %(user_id)s, %(roles)s, %(scopes)s,
        clock_timestamp() + %(lifetime)s)
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
) -> None:
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
    }
    await tx.execute(_ADD, values)


_LIST: Final = """
SELECT id, name, tenant, user_id, roles, scopes, created_at, expires_at, revoked_at
  FROM api_keys
 ORDER BY created_at, id
"""


async def list_all(tx: Tx) -> list[KeyRow]:
    """Return all keys, the revoked ones too."""
    return msgspec.convert(await (await tx.execute(_LIST)).fetchall(), list[KeyRow])


_REVOKE: Final = """
UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = %s AND revoked_at IS NULL
RETURNING id
"""


async def revoke(tx: Tx, key_id: str) -> bool:
    """End a key; ``False`` when there is no live key with this id."""
    return await (await tx.execute(_REVOKE, [key_id])).fetchone() is not None
