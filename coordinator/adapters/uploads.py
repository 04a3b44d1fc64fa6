"""The table ``uploads``: opening, reading and locking rows. Ending them is ``leases``' part.

Rule: for whoever acts for an owner, a row that is being erased is not there.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.uploads import Owner, Upload


class NewUpload(msgspec.Struct, frozen=True, kw_only=True):
    """A row that does not exist yet."""

    id: UUID
    tenant: str
    user_id: str
    bucket: str
    region: str
    object_key: str
    file_name: str
    file_type: str
    size_bytes: int
    chunk_bytes: int
    checksum: str | None
    declared_sha256: bytes | None
    declared_root: str | None
    metadata: dict[str, Any]
    token: str
    auto_complete: bool
    lifetime: timedelta


def as_upload(row: DictRow) -> Upload:
    """Convert a row; for the adapters that read uploads in statements of their own."""
    return msgspec.convert(row, Upload, strict=False)


_INSERT: Final = """
INSERT INTO uploads (id, tenant, user_id, bucket, region, object_key, file_name, file_type,
                     size_bytes, chunk_bytes, checksum, declared_sha256, declared_root, metadata,
                     token, auto_complete, deadline)
VALUES (%(id)s, %(tenant)s, %(user_id)s, %(bucket)s, %(region)s, %(object_key)s, %(file_name)s,
        %(file_type)s, %(size_bytes)s, %(chunk_bytes)s, %(checksum)s, %(declared_sha256)s,
        %(declared_root)s, %(metadata)s, %(token)s, %(auto_complete)s,
        clock_timestamp() + %(lifetime)s)
ON CONFLICT (tenant, user_id, file_name, size_bytes, checksum)
   WHERE checksum IS NOT NULL AND phase IN ('INIT', 'UPLOADING', 'ASSEMBLING') DO NOTHING
RETURNING *, clock_timestamp() AS as_of
"""


async def insert(tx: Tx, new: NewUpload) -> Upload | None:
    """Add the row; ``None`` when the owner has the same file open already."""
    values = msgspec.structs.asdict(new) | {"metadata": Jsonb(new.metadata)}
    row = await (await tx.execute(_INSERT, values)).fetchone()
    return None if row is None else as_upload(row)


_LOCK_OPEN: Final = """
SELECT held.*, clock_timestamp() AS as_of
  FROM (SELECT * FROM uploads
         WHERE tenant = %(tenant)s AND user_id = %(user_id)s AND file_name = %(file_name)s
           AND size_bytes = %(size_bytes)s AND checksum = %(checksum)s
           AND phase IN ('INIT', 'UPLOADING', 'ASSEMBLING') AND erasing_since IS NULL
           FOR UPDATE) AS held
"""


async def lock_open_twin(tx: Tx, new: NewUpload) -> Upload | None:
    """Find and hold the open upload that ``new`` would repeat."""
    row = await (await tx.execute(_LOCK_OPEN, msgspec.structs.asdict(new))).fetchone()
    return None if row is None else as_upload(row)


_READ: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE id = %(id)s AND tenant = %(tenant)s
   AND (%(user)s::text IS NULL OR user_id = %(user)s) AND erasing_since IS NULL
"""


async def read(tx: Tx, upload_id: UUID, owner: Owner) -> Upload:
    """Read the row without holding it.

    Raises:
        UploadNotFoundError: there is none, or it is somebody else's.

    """
    values = {"id": upload_id, "tenant": owner.tenant, "user": owner.user}
    row = await (await tx.execute(_READ, values)).fetchone()
    if row is None:
        raise UploadNotFoundError
    return as_upload(row)


_READ_ANY: Final = "SELECT *, clock_timestamp() AS as_of FROM uploads WHERE id = %s"


async def read_any(tx: Tx, upload_id: UUID) -> Upload:
    """Read the row whoever owns it: for the worker, which acts for nobody.

    Raises:
        UploadNotFoundError: there is none.

    """
    row = await (await tx.execute(_READ_ANY, [upload_id])).fetchone()
    if row is None:
        raise UploadNotFoundError
    return as_upload(row)


# The clock is read outside of the locking subselect, so only once the lock is ours.
_LOCK: Final = """
SELECT held.*, clock_timestamp() AS as_of
  FROM (SELECT * FROM uploads
         WHERE id = %(id)s AND tenant = %(tenant)s
           AND (%(user)s::text IS NULL OR user_id = %(user)s) AND erasing_since IS NULL
           FOR UPDATE) AS held
"""


async def lock(tx: Tx, upload_id: UUID, owner: Owner) -> Upload:
    """Read the row and hold it until ``tx`` ends.

    Raises:
        UploadNotFoundError: there is none, or it is somebody else's.

    """
    values = {"id": upload_id, "tenant": owner.tenant, "user": owner.user}
    row = await (await tx.execute(_LOCK, values)).fetchone()
    if row is None:
        raise UploadNotFoundError
    return as_upload(row)


_LOCK_ANY: Final = """
SELECT held.*, clock_timestamp() AS as_of
  FROM (SELECT * FROM uploads WHERE id = %s FOR UPDATE) AS held
"""


async def lock_any(tx: Tx, upload_id: UUID) -> Upload:
    """Read and hold the row whoever owns it: for the worker, which acts for nobody.

    Raises:
        UploadNotFoundError: there is none.

    """
    row = await (await tx.execute(_LOCK_ANY, [upload_id])).fetchone()
    if row is None:
        raise UploadNotFoundError
    return as_upload(row)


_SET_MULTIPART: Final = """
UPDATE uploads SET multipart_id = %(multipart_id)s, updated_at = clock_timestamp()
 WHERE id = %(id)s AND generation = %(generation)s AND multipart_id IS NULL
   AND phase IN ('INIT', 'UPLOADING') AND erasing_since IS NULL
RETURNING *, clock_timestamp() AS as_of
"""


async def set_multipart(tx: Tx, upload: Upload, multipart_id: str) -> Upload | None:
    """Store S3's id where none is; ``None`` to the loser of a race, who aborts its own."""
    values = {"id": upload.id, "generation": upload.generation, "multipart_id": multipart_id}
    row = await (await tx.execute(_SET_MULTIPART, values)).fetchone()
    return None if row is None else as_upload(row)


_HOLD: Final = (
    "UPDATE uploads SET hold = %(case)s, updated_at = clock_timestamp() WHERE id = %(id)s"
)


async def set_hold(tx: Tx, upload_id: UUID, case: str | None) -> None:
    """Note for which case the upload is held, or that it is not. The row must be locked."""
    await tx.execute(_HOLD, {"id": upload_id, "case": case})
