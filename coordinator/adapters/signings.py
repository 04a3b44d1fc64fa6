"""The table ``signings``: the digests that are fixed, for ever, chunk by chunk."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.uploads import Owner, Upload


class Signing(msgspec.Struct, frozen=True):
    """What came of :func:`fix`: the upload as it was, and the chunks that clash."""

    upload: Upload
    conflicts: list[int]


# %b: as text a batch of digests takes psycopg longer to write than its URLs take to sign.
_FIX: Final = """
SELECT (signed.upload).*, signed.as_of, signed.conflicts
  FROM sign_chunks(%(id)s, %(tenant)s, %(user)s, %(indexes)b, %(digests)b) AS signed
"""


async def fix(
    tx: Tx, upload_id: UUID, owner: Owner, indexes: Sequence[int], digests: Sequence[bytes]
) -> Signing:
    """Fix the digests of chunks, in one round trip; see ``sign_chunks()`` in the migrations.

    Nothing was stored when the upload turns out not to be signable or there are conflicts.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.

    """
    values = {
        "id": upload_id,
        "tenant": owner.tenant,
        "user": owner.user,
        "indexes": list(indexes),
        "digests": list(digests),
    }
    row = await (await tx.execute(_FIX, values, binary=True)).fetchone()
    # What was stored of an upload that is being erased goes with it.
    if row is None or row["erasing_since"] is not None:
        raise UploadNotFoundError
    return Signing(as_upload(row), row["conflicts"])


_READ: Final = "SELECT indexes, digests FROM signings WHERE upload_id = %s ORDER BY id"


async def read_digests(tx: Tx, upload_id: UUID) -> dict[int, bytes]:
    """Return every digest that is fixed, by chunk index."""
    cursor = await tx.execute(_READ, [upload_id], binary=True)
    return {
        index: digest
        async for row in cursor
        for index, digest in zip(row["indexes"], row["digests"], strict=True)
    }


_FORGET: Final = "DELETE FROM signings WHERE upload_id = %s"


async def forget(tx: Tx, upload_id: UUID) -> None:
    """Drop the signings: the manifest says the same from now on."""
    await tx.execute(_FORGET, [upload_id])
