"""The table ``uploads``: opening, reading, locking and moving rows.

Every write under a lease names the attempt, so that whoever lost the lease changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from coordinator.adapters.postgres import Tx
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.phases import Phase, Reason
from coordinator.domain.uploads import Owner, Seal, Upload


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
    lifetime: timedelta


class LeaseLostError(RuntimeError):
    """Another attempt holds the upload; what this one learned must not be written."""


def as_upload(row: DictRow) -> Upload:
    """Convert a row; for the adapters that read uploads in statements of their own."""
    return msgspec.convert(row, Upload, strict=False)


_INSERT: Final = """
INSERT INTO uploads (id, tenant, user_id, bucket, region, object_key, file_name, file_type,
                     size_bytes, chunk_bytes, checksum, declared_sha256, declared_root, metadata,
                     token, deadline)
VALUES (%(id)s, %(tenant)s, %(user_id)s, %(bucket)s, %(region)s, %(object_key)s, %(file_name)s,
        %(file_type)s, %(size_bytes)s, %(chunk_bytes)s, %(checksum)s, %(declared_sha256)s,
        %(declared_root)s, %(metadata)s, %(token)s, clock_timestamp() + %(lifetime)s)
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
           AND phase IN ('INIT', 'UPLOADING', 'ASSEMBLING')
           FOR UPDATE) AS held
"""


async def lock_open_twin(tx: Tx, new: NewUpload) -> Upload | None:
    """Find and hold the open upload that ``new`` would repeat."""
    row = await (await tx.execute(_LOCK_OPEN, msgspec.structs.asdict(new))).fetchone()
    return None if row is None else as_upload(row)


_READ: Final = """
SELECT *, clock_timestamp() AS as_of FROM uploads
 WHERE id = %(id)s AND tenant = %(tenant)s
   AND (%(user)s::text IS NULL OR user_id = %(user)s)
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
           AND (%(user)s::text IS NULL OR user_id = %(user)s)
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
   AND phase IN ('INIT', 'UPLOADING')
RETURNING *, clock_timestamp() AS as_of
"""


async def set_multipart(tx: Tx, upload: Upload, multipart_id: str) -> Upload | None:
    """Store S3's id where none is; ``None`` to the loser of a race, who aborts its own."""
    values = {"id": upload.id, "generation": upload.generation, "multipart_id": multipart_id}
    row = await (await tx.execute(_SET_MULTIPART, values)).fetchone()
    return None if row is None else as_upload(row)


_SEAL: Final = """
UPDATE uploads
   SET phase = %(phase)s, intent = %(intent)s, attempt = %(attempt)s, checksum = %(checksum)s,
       declared_sha256 = %(sha256)s, declared_root = %(root)s,
       lease_until = clock_timestamp() + %(lease)s, updated_at = clock_timestamp()
 WHERE id = %(id)s
RETURNING *, clock_timestamp() AS as_of
"""


async def write_seal(tx: Tx, upload_id: UUID, seal: Seal, *, lease: timedelta) -> Upload:
    """Take the lease. The row must be locked by ``tx``."""
    values: Mapping[str, Any] = {
        "id": upload_id,
        "phase": seal.phase,
        "intent": seal.intent,
        "attempt": seal.attempt,
        "checksum": seal.checksum,
        "sha256": seal.declared.sha256,
        "root": seal.declared.root,
        "lease": lease,
    }
    row = await (await tx.execute(_SEAL, values)).fetchone()
    assert row is not None, "write_seal without lock"
    return as_upload(row)


_EXTEND: Final = """
UPDATE uploads SET lease_until = clock_timestamp() + %(lease)s
 WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'
   AND lease_until > clock_timestamp()
RETURNING lease_until
"""


async def extend_lease(tx: Tx, upload: Upload, *, lease: timedelta) -> datetime:
    """Renew the lease, immediately before what must not happen twice.

    Raises:
        LeaseLostError: it ran out or another attempt has it; stop without a trace.

    """
    values = {"id": upload.id, "attempt": upload.attempt, "lease": lease}
    row = await (await tx.execute(_EXTEND, values)).fetchone()
    if row is None:
        raise LeaseLostError(upload.public_id)
    until: datetime = row["lease_until"]
    return until


_LEAVE: Final = """
UPDATE uploads
   SET phase = %(phase)s, reason = %(reason)s, intent = %(intent)s, lease_until = NULL,
       assembled_at = CASE WHEN %(assembled)s THEN clock_timestamp() ELSE assembled_at END,
       finished_at = CASE WHEN %(phase)s IN ('COMPLETED', 'FAILED') THEN clock_timestamp() END,
       updated_at = clock_timestamp()
 WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'
RETURNING *, clock_timestamp() AS as_of
"""


async def leave(
    tx: Tx, upload: Upload, phase: Phase, *, reason: Reason | None = None, assembled: bool = False
) -> Upload:
    """Give the lease back, moving to ``phase``; ASSEMBLING with ``assembled`` awaits hashing.

    Raises:
        LeaseLostError: another attempt took the upload over; nothing was written.

    """
    values = {
        "id": upload.id,
        "attempt": upload.attempt,
        "phase": phase,
        "reason": reason,
        "intent": upload.intent if phase is Phase.ASSEMBLING else None,
        "assembled": assembled,
    }
    row = await (await tx.execute(_LEAVE, values)).fetchone()
    if row is None:
        raise LeaseLostError(upload.public_id)
    return as_upload(row)


_REOPEN: Final = """
UPDATE uploads
   SET phase = %(phase)s, intent = NULL, lease_until = NULL, updated_at = clock_timestamp(),
       checksum = %(checksum)s, declared_sha256 = %(sha256)s, declared_root = %(root)s,
       generation = generation + %(lost)s::boolean::integer,
       multipart_id = CASE WHEN %(lost)s THEN NULL ELSE multipart_id END
 WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'
RETURNING id
"""


async def reopen(
    tx: Tx, upload: Upload, before: Upload, phase: Phase, *, multipart_lost: bool
) -> None:
    """Give the lease back and take chunks again; what completion declared is forgotten.

    With ``multipart_lost`` a new generation begins: the next signing opens a new multipart.

    Raises:
        LeaseLostError: another attempt took the upload over; nothing was written.

    """
    values = {
        "id": upload.id,
        "attempt": upload.attempt,
        "phase": phase,
        "checksum": before.checksum,
        "sha256": before.declared_sha256,
        "root": before.declared_root,
        "lost": multipart_lost,
    }
    if await (await tx.execute(_REOPEN, values)).fetchone() is None:
        raise LeaseLostError(upload.public_id)


_GIVE_UP: Final = """
UPDATE uploads
   SET phase = %(phase)s, reason = %(reason)s, finished_at = clock_timestamp(),
       updated_at = clock_timestamp()
 WHERE id = %(id)s
"""


async def give_up(tx: Tx, upload_id: UUID, phase: Phase, reason: Reason) -> None:
    """End an open upload that nobody drives. The row must be locked by ``tx``."""
    await tx.execute(_GIVE_UP, {"id": upload_id, "phase": phase, "reason": reason})
