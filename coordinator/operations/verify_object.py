"""Prove a declared whole-file sha256: the worker reads the object once, then finishes it."""

import asyncio
import hashlib
from typing import Final
from uuid import UUID

from coordinator.adapters import audit, leases, signings, uploads
from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import content_of
from coordinator.domain.phases import Event, Reason, after
from coordinator.domain.uploads import Upload, take_for_hashing
from coordinator.operations.finish_upload import finish_upload
from coordinator.telemetry import UPLOADS, file_type_label

_RANGE: Final = 8 * 1024 * 1024

ACTOR: Final = "worker"


async def verify_object(stores: Stores, upload_id: UUID) -> None:
    """Hash the object of an upload that awaits it, then complete or fail the upload.

    Nothing happens to an upload that awaits no hashing, so the queue may ask twice.

    Raises:
        LeaseLostError: another worker has taken over.

    """
    async with transaction(stores.pool) as tx:
        before = await uploads.lock_any(tx, upload_id)
        decision = take_for_hashing(before)
        if decision is None:
            return
        upload = await leases.take(tx, upload_id, decision, lease=stores.lease)
        digests = await signings.read_digests(tx, upload_id)
    content = content_of(upload.plan, digests)
    assert content is not None, "assembled from all digests"
    if await _hash(stores, upload) == upload.declared_sha256:
        kept = KeptManifest(content.digests, content.root, upload.declared_sha256)
        await finish_upload(stores, upload, kept, actor=ACTOR)
    else:
        await _fail(stores, upload)


async def _hash(stores: Stores, upload: Upload) -> bytes:
    """Read range after range, the next one under way while one is hashed."""
    whole = hashlib.sha256()
    starts = range(0, upload.size_bytes, _RANGE)
    coming = asyncio.create_task(_read(stores, upload, 0))
    renewed = asyncio.get_running_loop().time()
    for start in starts:
        block = await coming
        if start + _RANGE < upload.size_bytes:
            coming = asyncio.create_task(_read(stores, upload, start + _RANGE))
        await asyncio.to_thread(whole.update, block)
        if asyncio.get_running_loop().time() - renewed > stores.lease.total_seconds() / 4:
            async with stores.pool.connection() as conn:
                await leases.extend(conn, upload, lease=stores.lease)
            renewed = asyncio.get_running_loop().time()
    return whole.digest()


async def _read(stores: Stores, upload: Upload, start: int) -> bytes:
    length = min(_RANGE, upload.size_bytes - start)
    return await stores.bucket.read(upload.object_key, first=start, length=length)


async def _fail(stores: Stores, upload: Upload) -> None:
    """End the upload, then delete the object: it was never downloadable and is nobody's file."""
    reason = Reason.CHECKSUM_MISMATCH
    async with transaction(stores.pool) as tx:
        await leases.leave(tx, upload, after(upload.phase, Event.GIVE_UP), reason=reason)
        await audit.append(
            tx, f"upload.{reason}", tenant=upload.tenant, actor=ACTOR, upload_id=upload.id
        )
    UPLOADS.labels(reason, file_type_label(upload.file_type)).inc()
    await stores.bucket.delete(upload.object_key)
