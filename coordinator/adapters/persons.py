"""What names a user beside uploads: keys, statistics, the key of the pseudonym, erasures."""

from typing import Final

from coordinator.adapters.postgres import Tx

_REVOKE: Final = """
UPDATE api_keys SET revoked_at = clock_timestamp()
 WHERE tenant = %(tenant)s AND user_id = %(user)s AND revoked_at IS NULL
"""


async def revoke_keys(tx: Tx, tenant: str, user: str) -> int:
    """Revoke the user's API keys and return how many could be used."""
    return (await tx.execute(_REVOKE, {"tenant": tenant, "user": user})).rowcount


# Revoked keys stay for the audit, which calls them by their ids.
_KEYS: Final = """
UPDATE api_keys SET user_id = '', name = '',
       revoked_at = coalesce(revoked_at, clock_timestamp())
 WHERE tenant = %(tenant)s AND user_id = %(user)s
"""
_ADD: Final = """
INSERT INTO statistics AS kept (tenant, day, user_id, file_type, opened, completed, failed, bytes)
SELECT tenant, day, '', file_type, opened, completed, failed, bytes FROM statistics
 WHERE tenant = %(tenant)s AND user_id = %(user)s
ON CONFLICT (tenant, day, user_id, file_type) DO UPDATE
   SET opened = kept.opened + excluded.opened, completed = kept.completed + excluded.completed,
       failed = kept.failed + excluded.failed, bytes = kept.bytes + excluded.bytes
"""
_TAKE: Final = "DELETE FROM statistics WHERE tenant = %(tenant)s AND user_id = %(user)s"
_ERASURES: Final = """
UPDATE erasures SET user_id = NULL
 WHERE tenant = %(tenant)s AND user_id = %(user)s
"""
_PSEUDONYM: Final = "DELETE FROM pseudonyms WHERE tenant = %(tenant)s AND user_id = %(user)s"


async def forget(tx: Tx, tenant: str, user: str) -> None:
    """Let nothing tell any more who the user was; the tenant's sums stay as they are.

    The pseudonym's key is last: without it no row of the audit can be led back to a person.
    """
    values = {"tenant": tenant, "user": user}
    for statement in (_KEYS, _ADD, _TAKE, _ERASURES, _PSEUDONYM):
        await tx.execute(statement, values)
