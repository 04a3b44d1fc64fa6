"""The table ``installation``: one row, with the id that the bucket's marker object holds too."""

from typing import Final
from uuid import UUID

from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.postgres import Tx

_NAME: Final = "INSERT INTO installation (id) VALUES (%s) ON CONFLICT DO NOTHING"
_READ: Final = "SELECT id FROM installation"


async def own_id(tx: Tx) -> UUID:
    """Return this installation's id, which the first caller makes."""
    found = await known_id(tx)
    if found is None:
        # Waits for whoever is naming it at this moment.
        await tx.execute(_NAME, [new_uuid()])
        found = await known_id(tx)
    assert found is not None
    return found


async def known_id(tx: Tx) -> UUID | None:
    """Return this installation's id, if it has one yet."""
    row = await (await tx.execute(_READ)).fetchone()
    return None if row is None else row["id"]
