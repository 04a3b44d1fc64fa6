"""The table ``pseudonyms``: what the audit calls people.

Whoever erases a user's row here makes the user's audit rows nobody's.
"""

from typing import Final

from coordinator.adapters.postgres import Tx

_READ: Final = "SELECT pseudonym_of(%(tenant)s, %(user)s) AS pseudonym"


async def pseudonym_of(tx: Tx, tenant: str, user_id: str) -> str:
    """Return the user's pseudonym, which is made at the first time."""
    row = await (await tx.execute(_READ, {"tenant": tenant, "user": user_id})).fetchone()
    assert row is not None, "a function returns a row"
    pseudonym: str = row["pseudonym"]
    return pseudonym
