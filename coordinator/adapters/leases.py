"""Leases on rows of ``uploads``: who drives an upload to its end, and what they may write.

Every write here names the attempt, so that whoever lost the lease changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from coordinator.adapters.postgres import Tx
from coordinator.adapters.uploads import as_upload
from coordinator.domain.phases import Phase, Reason
from coordinator.domain.uploads import Seal, Upload


class LeaseLostError(RuntimeError):
    """Another attempt holds the upload; what this one learned must not be written."""


_SEAL: Final = """
UPDATE uploads
   SET phase = %(phase)s, intent = %(intent)s, attempt = %(attempt)s,
       late_checksum = coalesce(late_checksum, nullif(%(checksum)s, checksum)),
       declared_sha256 = %(sha256)s, declared_root = %(root)s,
       given_sha256 = CASE WHEN phase = 'ASSEMBLING' THEN given_sha256 ELSE declared_sha256 END,
       given_root = CASE WHEN phase = 'ASSEMBLING' THEN given_root ELSE declared_root END,
       lease_until = clock_timestamp() + %(lease)s, updated_at = clock_timestamp()
 WHERE id = %(id)s
RETURNING *, clock_timestamp() AS as_of
"""


async def take(tx: Tx, upload_id: UUID, seal: Seal, *, lease: timedelta) -> Upload:
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
    assert row is not None, "take without lock"
    return as_upload(row)


_EXTEND: Final = """
UPDATE uploads SET lease_until = clock_timestamp() + %(lease)s
 WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'
   AND lease_until > clock_timestamp() AND erasing_since IS NULL
RETURNING lease_until
"""


async def extend(tx: Tx, upload: Upload, *, lease: timedelta) -> datetime:
    """Renew the lease, immediately before what must not happen twice.

    Raises:
        LeaseLostError: it ran out, another attempt has it, or the upload is being erased; stop
            without a trace.

    """
    values = {"id": upload.id, "attempt": upload.attempt, "lease": lease}
    row = await (await tx.execute(_EXTEND, values)).fetchone()
    if row is None:
        raise LeaseLostError(upload.public_id)
    until: datetime = row["lease_until"]
    return until


_LAPSE: Final = """
UPDATE uploads SET lease_until = clock_timestamp()
 WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING' AND lease_until IS NOT NULL
"""


async def lapse(tx: Tx, upload: Upload) -> None:
    """Let the lease run out now, so that the next who asks takes over.

    Only for an attempt that has stopped, and has no call under way at S3. Whatever it has written
    before stays; where it has lost the lease, nothing is written.
    """
    await tx.execute(_LAPSE, {"id": upload.id, "attempt": upload.attempt})


_LEAVE: Final = """
UPDATE uploads
   SET phase = %(phase)s, reason = %(reason)s, intent = %(intent)s, lease_until = NULL,
       assembled_at = CASE WHEN %(assembled)s THEN clock_timestamp() ELSE assembled_at END,
       detected_type = coalesce(%(detected)s, detected_type),
       finished_at = CASE WHEN %(phase)s IN ('COMPLETED', 'FAILED') THEN clock_timestamp() END,
       updated_at = clock_timestamp()
 WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'
RETURNING *, clock_timestamp() AS as_of
"""


async def leave(
    tx: Tx,
    upload: Upload,
    phase: Phase,
    *,
    reason: Reason | None = None,
    assembled: bool = False,
    detected: str | None = None,
) -> Upload:
    """Give the lease back, moving to ``phase``; ASSEMBLING with ``assembled`` awaits hashing.

    ``detected`` is the media type that the object's first bytes say.

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
        "detected": detected,
    }
    row = await (await tx.execute(_LEAVE, values)).fetchone()
    if row is None:
        raise LeaseLostError(upload.public_id)
    return as_upload(row)


_REOPEN: Final = """
UPDATE uploads
   SET phase = %(phase)s, intent = NULL, lease_until = NULL, updated_at = clock_timestamp(),
       late_checksum = NULL, declared_sha256 = given_sha256, declared_root = given_root,
       assembled_at = NULL, auto_complete = auto_complete AND %(automatic)s,
       generation = generation + %(lost)s::boolean::integer,
       multipart_id = CASE WHEN %(lost)s THEN NULL ELSE multipart_id END
 WHERE id = %(id)s AND attempt = %(attempt)s AND phase = 'ASSEMBLING'
RETURNING id
"""


async def reopen(
    tx: Tx, upload: Upload, phase: Phase, *, multipart_lost: bool, automatic: bool = True
) -> None:
    """Give the lease back and take chunks again; what completion declared is forgotten.

    With ``multipart_lost`` a new generation begins: the next signing opens a new multipart. Without
    ``automatic`` the upload does not complete by itself any more: somebody must hear why.

    Raises:
        LeaseLostError: another attempt took the upload over; nothing was written.

    """
    values = {
        "id": upload.id,
        "attempt": upload.attempt,
        "phase": phase,
        "lost": multipart_lost,
        "automatic": automatic,
    }
    if await (await tx.execute(_REOPEN, values)).fetchone() is None:
        raise LeaseLostError(upload.public_id)
