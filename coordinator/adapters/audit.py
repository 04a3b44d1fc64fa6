"""The table ``audit``: append-only, ids and no contents."""

from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx

WORKER: Final = "worker"  # the actor, where nobody asked for it

_APPEND: Final = """
INSERT INTO audit (tenant, actor, action, upload_id, facts)
VALUES (%(tenant)s, %(actor)s, %(action)s, %(upload_id)s, %(facts)s)
"""


async def append(
    tx: Tx, action: str, *, tenant: str, actor: str, upload_id: UUID | None = None, **facts: Any
) -> None:
    """Note what was done, in the transaction that did it."""
    values = {
        "tenant": tenant,
        "actor": actor,
        "action": action,
        "upload_id": upload_id,
        "facts": Jsonb(facts),
    }
    await tx.execute(_APPEND, values)
