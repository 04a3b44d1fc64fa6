"""Hand out part URLs: one round trip to Postgres, one to Redis, none to S3."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from coordinator import points
from coordinator.adapters import signings
from coordinator.adapters.stores import Stores
from coordinator.domain import sigv4
from coordinator.domain.errors import DigestConflictError, InvalidFieldError
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload, check_signable
from coordinator.operations.open_multipart import open_multipart
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.telemetry import SIGNING


class ChunkToSign(msgspec.Struct, frozen=True):
    """A chunk's index and the sha256 that its bytes will have, 32 raw bytes."""

    index: int
    sha256: bytes


class SignedChunk(msgspec.Struct, frozen=True):
    """A chunk's URL, or no URL when the ledger has the chunk already."""

    index: int
    size_bytes: int
    part: sigv4.SignedPart | None


class SignedBatch(msgspec.Struct, frozen=True):
    """All chunks of a request in its order; the URLs end together."""

    chunks: list[SignedChunk]
    expires_at: datetime


async def sign_chunks(
    stores: Stores,
    upload_id: UUID,
    owner: Owner,
    asked: Sequence[ChunkToSign],
    *,
    force: bool,
    lifetime: timedelta,
) -> SignedBatch:
    """Fix the digests of ``asked`` and sign a URL for each; ``force`` signs known chunks too.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.
        WrongPhaseError: the chunk list is frozen or the upload is over.
        UploadExpiredError: its deadline has passed.
        InvalidFieldError: an index is out of range.
        DigestConflictError: a chunk was signed with another digest before; nothing was stored.
        ClockOffError: S3 would refuse what is signed now; the digests are fixed all the same.

    """
    indexes = [chunk.index for chunk in asked]
    async with stores.pool.connection() as conn:
        signing = await signings.fix(
            conn, upload_id, owner, indexes, [chunk.sha256 for chunk in asked]
        )
    upload = signing.upload
    check_signable(upload)
    _check_range(upload, indexes)
    if signing.conflicts:
        raise DigestConflictError(signing.conflicts)
    points.passed("signed")
    if upload.phase is Phase.INIT:
        await stores.ledger.notify(upload_id)
    upload = await open_multipart(stores, upload)
    chunks = None if force else await ledger_or_nothing(stores.ledger.read(upload_id))
    known = chunks.uploaded if chunks else frozenset()
    return await _sign(stores, upload, asked, known, lifetime)


def _check_range(upload: Upload, indexes: Sequence[int]) -> None:
    count = upload.plan.chunk_count
    for at, index in enumerate(indexes):
        if not 0 <= index < count:
            raise InvalidFieldError(
                f"chunks[{at}].chunkIndex", f"This upload has chunks 0 to {count - 1}."
            )


async def _sign(
    stores: Stores,
    upload: Upload,
    asked: Sequence[ChunkToSign],
    known: frozenset[int],
    lifetime: timedelta,
) -> SignedBatch:
    assert upload.multipart_id is not None, "signed after open_multipart"
    plan = upload.plan
    credentials, at = await stores.bucket.ready_to_sign()
    wanted = [chunk for chunk in asked if chunk.index not in known]
    with SIGNING.time():
        signed = sigv4.sign_parts(
            credentials,
            stores.bucket.public,
            key=upload.object_key,
            multipart_id=upload.multipart_id,
            parts=[
                sigv4.Part(chunk.index + 1, plan.length_of(chunk.index), chunk.sha256)
                for chunk in wanted
            ],
            at=at,
            lifetime=lifetime,
        )
    parts = {chunk.index: part for chunk, part in zip(wanted, signed, strict=True)}
    return SignedBatch(
        [
            SignedChunk(chunk.index, plan.length_of(chunk.index), parts.get(chunk.index))
            for chunk in asked
        ],
        sigv4.expiry(credentials, at=at, lifetime=lifetime),
    )
