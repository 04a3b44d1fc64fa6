"""The table ``manifests``: what completed uploads hold, digests packed."""

from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx


class KeptManifest(msgspec.Struct, frozen=True):
    """One row: the digests in order, their root, and the whole file's sha256 where proven."""

    digests: bytes
    root: str
    sha256: bytes | None


_KEEP: Final = """
INSERT INTO manifests (upload_id, digests, root, sha256)
VALUES (%(upload_id)s, %(digests)s, %(root)s, %(sha256)s)
ON CONFLICT (upload_id) DO NOTHING
"""


async def keep(tx: Tx, upload_id: UUID, manifest: KeptManifest) -> None:
    """Store a completed upload's manifest, in the transaction that completes it."""
    await tx.execute(_KEEP, msgspec.structs.asdict(manifest) | {"upload_id": upload_id})


_READ: Final = "SELECT digests, root, sha256 FROM manifests WHERE upload_id = %s"


async def read(tx: Tx, upload_id: UUID) -> KeptManifest | None:
    """Read a completed upload's manifest; ``None`` while there is none."""
    row = await (await tx.execute(_READ, [upload_id])).fetchone()
    return None if row is None else msgspec.convert(row, KeptManifest)
