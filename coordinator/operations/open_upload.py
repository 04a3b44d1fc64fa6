"""Open an upload, or find the one that is open already."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from coordinator.adapters import audit, idempotency, uploads
from coordinator.adapters.entropy import new_token, new_uuid
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.stores import Stores
from coordinator.domain import ids, names
from coordinator.domain.checksums import Declared
from coordinator.domain.phases import Event, Phase, Reason, after
from coordinator.domain.plan import Plan
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.open_multipart import open_multipart
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.telemetry import UPLOADS, file_type_label


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants to upload; everything in it has been checked."""

    tenant: str
    user_id: str
    actor: str
    file_name: str
    file_type: str
    plan: Plan
    checksum: str | None
    declared: Declared
    metadata: dict[str, Any]
    auto_complete: bool
    prefix: str
    lifetime: timedelta
    idempotency_key: str | None
    body_sha256: bytes


async def open_upload(stores: Stores, wish: Wish) -> tuple[Upload, bool]:
    """Return the upload and whether it was resumed.

    The row is committed before S3 is asked, so that no multipart exists which no row knows.

    Raises:
        IdempotencyConflictError: the Idempotency-Key was used with another body.

    """
    new = _row_of(wish, stores)
    async with transaction(stores.pool) as tx:
        upload = await _bound(tx, wish, new.id) or await _insert_or_find(tx, wish, new)
    resumed = upload.id != new.id
    if upload.phase in {Phase.INIT, Phase.UPLOADING}:
        upload = await open_multipart(stores, upload)
    if not resumed:
        UPLOADS.labels("opened", file_type_label(upload.file_type)).inc()
        await ledger_or_nothing(stores.ledger.open(upload))
    return upload, resumed


def _row_of(wish: Wish, stores: Stores) -> uploads.NewUpload:
    upload_id = new_uuid()
    return uploads.NewUpload(
        id=upload_id,
        tenant=wish.tenant,
        user_id=wish.user_id,
        bucket=stores.bucket.name,
        region=stores.bucket.region,
        object_key=names.object_key(
            prefix=wish.prefix,
            tenant=wish.tenant,
            upload_id=ids.encode(ids.UPLOAD, upload_id),
            file_name=wish.file_name,
        ),
        file_name=wish.file_name,
        file_type=wish.file_type,
        size_bytes=wish.plan.size_bytes,
        chunk_bytes=wish.plan.chunk_bytes,
        checksum=wish.checksum,
        declared_sha256=wish.declared.sha256,
        declared_root=wish.declared.root,
        metadata=wish.metadata,
        token=new_token(),
        auto_complete=wish.auto_complete,
        lifetime=wish.lifetime,
    )


async def _bound(tx: Tx, wish: Wish, new_id: UUID) -> Upload | None:
    """Return the upload that the Idempotency-Key names, if it names one."""
    if wish.idempotency_key is None:
        return None
    bound = await idempotency.claim(
        tx,
        tenant=wish.tenant,
        user_id=wish.user_id,
        key=wish.idempotency_key,
        body_sha256=wish.body_sha256,
        upload_id=new_id,
    )
    if bound == new_id:
        return None
    return await uploads.read(tx, bound, Owner(wish.tenant, wish.user_id))


async def _insert_or_find(tx: Tx, wish: Wish, new: uploads.NewUpload) -> Upload:
    upload = await uploads.insert(tx, new)
    while upload is None:
        twin = await uploads.lock_open_twin(tx, new)
        if twin is not None and not _ran_out(twin):
            if wish.idempotency_key is not None:
                await idempotency.rebind(
                    tx,
                    tenant=wish.tenant,
                    user_id=wish.user_id,
                    key=wish.idempotency_key,
                    upload_id=twin.id,
                )
            return twin
        if twin is not None:
            phase = after(twin.phase, Event.GIVE_UP)
            await uploads.give_up(tx, twin.id, phase, Reason.EXPIRED)
        upload = await uploads.insert(tx, new)
    await audit.append(
        tx, "upload.opened", tenant=upload.tenant, actor=wish.actor, upload_id=upload.id
    )
    return upload


def _ran_out(upload: Upload) -> bool:
    return upload.phase is not Phase.ASSEMBLING and upload.as_of >= upload.deadline
