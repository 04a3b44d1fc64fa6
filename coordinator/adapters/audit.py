"""The table ``audit``: append-only, ids and numbers only. The database refuses every change to it.

Rule: ``facts`` hold ids, codes and numbers; never a name, a file's name, an address, or what a file
has in it. People are pseudonyms, which end with the user's key in ``pseudonyms``.
"""

from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.domain.access import VIA
from coordinator.domain.uploads import Upload

# Actors, where nobody asked by the API.
WORKER: Final = "worker"
COMMAND_LINE: Final = "command-line"

_APPEND: Final = """
INSERT INTO audit (tenant, actor, action, upload_id, facts, subject)
VALUES (%(tenant)s, %(actor)s, %(action)s, %(upload_id)s, %(facts)s,
        CASE WHEN %(user)s::text IS NOT NULL THEN pseudonym_of(%(tenant)s, %(user)s) END)
"""


async def append(
    tx: Tx,
    action: str,
    *,
    tenant: str,
    actor: str,
    user: str | None = None,
    upload_id: UUID | None = None,
    **facts: Any,
) -> None:
    """Note what was done, in the transaction that did it.

    ``actor``: a key's id, a pseudonym, or a constant above; never a user's id. ``user``: whom it
    was about; the row gets a pseudonym. An actor who acts by some means, as a token's bearer does,
    has these among the facts.
    """
    actor, _via, means = actor.partition(VIA)
    if means:
        facts["via"] = means
    values = {
        "tenant": tenant,
        "actor": actor,
        "action": action,
        "upload_id": upload_id,
        "facts": Jsonb(facts),
        "user": user,
    }
    await tx.execute(_APPEND, values)


async def of_upload(tx: Tx, action: str, upload: Upload, *, actor: str, **facts: Any) -> None:
    """Note what was done to an upload, which is about its user."""
    await append(
        tx,
        action,
        tenant=upload.tenant,
        actor=actor,
        user=upload.user_id,
        upload_id=upload.id,
        **facts,
    )
