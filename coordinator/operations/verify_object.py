"""Read a whole object once, where nothing less proves it; the worker does, then finishes it.

That is so for a declared whole-file sha256, and for every object of a store whose checksums are
worth nothing.
"""

import asyncio
from typing import Final
from uuid import UUID

from opentelemetry.trace import SpanKind

import manifests
from coordinator import points, tracing
from coordinator.adapters import audit, leases, signings, uploads
from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.postgres import transaction
from coordinator.adapters.s3_answers import ObjectGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import content_of
from coordinator.domain.phases import Reason
from coordinator.domain.uploads import Upload, take_for_hashing
from coordinator.operations.check_type import finish_or_refuse
from coordinator.operations.delete_damaged import delete_damaged
from coordinator.operations.fail_upload import fail_upload
from coordinator.operations.finish_upload import document
from coordinator.operations.reopen_upload import reopen_upload

_RANGE: Final = 8 * 1024 * 1024


@tracing.traced(SpanKind.CONSUMER)
async def verify_object(stores: Stores, upload_id: UUID) -> None:
    """Hash the object of an upload that awaits it, then complete or fail the upload.

    Nothing happens to an upload that awaits no hashing, so the queue may ask twice. An object that
    is gone, or holds other bytes than the chunks had, opens the upload again.

    Raises:
        LeaseLostError: another worker has taken over.
        UnsettledError: the object's type cannot be read; it awaits another reading.

    """
    async with transaction(stores.pool) as tx:
        before = await uploads.lock_any(tx, upload_id)
        decision = take_for_hashing(before)
        if decision is None:
            return
        upload = await leases.take(tx, upload_id, decision, lease=stores.lease)
        digests = await signings.read_digests(tx, upload_id)
    tracing.describe({tracing.UPLOAD_ID: upload.public_id, tracing.ATTEMPT: upload.attempt})
    points.passed("hashing")
    content = content_of(upload.plan, digests)
    assert content is not None, "assembled from all digests"
    kept = KeptManifest(content.digests, content.root, upload.declared_sha256)
    every = range(upload.plan.chunk_count)
    try:
        verdict = await _read_whole(stores, upload, document(upload, kept))
    except ObjectGoneError:
        await reopen_upload(stores, upload, missing=every, multipart_lost=True)
        return
    points.passed("hashed")
    if verdict.wrong_chunks or verdict.size_difference:
        await delete_damaged(stores, upload)
        await reopen_upload(stores, upload, missing=every, multipart_lost=True)
    elif verdict.is_match:
        await finish_or_refuse(stores, upload, kept, actor=audit.WORKER)
    else:
        await fail_upload(stores, upload, Reason.CHECKSUM_MISMATCH, actor=audit.WORKER)


async def _read_whole(
    stores: Stores, upload: Upload, expected: manifests.Manifest
) -> manifests.Verdict:
    """Read range after range, the next one under way while one is hashed."""
    check = manifests.FileCheck(expected)
    loop = asyncio.get_running_loop()
    coming = asyncio.create_task(_read(stores, upload, 0))
    renewed = loop.time()
    try:
        for start in range(0, upload.size_bytes, _RANGE):
            block = await coming
            if start + _RANGE < upload.size_bytes:
                coming = asyncio.create_task(_read(stores, upload, start + _RANGE))
            await asyncio.to_thread(check.feed, block)
            if loop.time() - renewed > stores.lease.total_seconds() / 4:
                async with stores.pool.connection() as conn:
                    await leases.extend(conn, upload, lease=stores.lease)
                renewed = loop.time()
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
    return check.verdict()


async def _read(stores: Stores, upload: Upload, start: int) -> bytes:
    if upload.size_bytes == 0:
        return b""
    length = min(_RANGE, upload.size_bytes - start)
    return await stores.bucket.read(upload.object_key, first=start, length=length)
