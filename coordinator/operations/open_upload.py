"""Open an upload, or find the one that is open already."""

import asyncio
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from coordinator.adapters import audit, idempotency, quotas, uploads
from coordinator.adapters.entropy import new_token, new_uuid
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.stores import Stores
from coordinator.domain import ids, names
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import UnavailableError, WrongPhaseError
from coordinator.domain.file_types import check_declared
from coordinator.domain.phases import Intent, Phase
from coordinator.domain.plan import Plan
from coordinator.domain.quotas import check_reserved, check_size
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.complete_upload import expire_upload
from coordinator.operations.open_multipart import open_multipart
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.telemetry import UPLOADS, file_type_label

_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 0)


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
    with_token: bool = False  # its opener gets an upload token


async def open_upload(stores: Stores, wish: Wish) -> tuple[Upload, bool]:
    """Return the upload and whether it was resumed.

    The row is committed before S3 is asked, so that no multipart exists which no row knows.

    Raises:
        QuotaExceededError: the tenant has used up what it may use; nothing was written.
        TypeNotAllowedError: the tenant may not upload files of this type; nothing was written.
        IdempotencyConflictError: the Idempotency-Key was used with another body.
        UnavailableError: the same file's last upload is being ended, and that takes long.

    """
    new = _row_of(wish, stores)
    upload = await _commit(stores, wish, new)
    resumed = upload.id != new.id
    if upload.phase in {Phase.INIT, Phase.UPLOADING}:
        upload = await open_multipart(stores, upload)
    if not resumed:
        UPLOADS.labels("opened", file_type_label(upload.file_type)).inc()
        await ledger_or_nothing(stores.ledger.open(upload))
    return upload, resumed


class _EndingError(Exception):
    """The owner's same file has an upload that is no use any more; nothing was written."""

    def __init__(self, twin: Upload) -> None:
        super().__init__(twin.public_id)
        self.twin = twin


async def _commit(stores: Stores, wish: Wish, new: uploads.NewUpload) -> Upload:
    """Commit the new row, or find the open one; one that has run out is ended first."""
    for pause in _PAUSES:
        try:
            async with transaction(stores.pool) as tx:
                return await _bound(tx, wish, new.id) or await _insert_or_find(tx, wish, new)
        except _EndingError as exc:
            if await _is_ended(stores, exc.twin):
                continue
        await asyncio.sleep(pause)
    raise UnavailableError("The last upload of this file is being ended. Open it again soon.")


async def _is_ended(stores: Stores, twin: Upload) -> bool:
    """End an upload that has run out, unless somebody else is at it."""
    try:
        return not (await expire_upload(stores, twin)).is_open
    except WrongPhaseError:
        return True  # COMPLETED meanwhile


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
        if twin is not None:
            if _is_ending(twin):
                raise _EndingError(twin)
            if wish.idempotency_key is not None:
                await idempotency.rebind(
                    tx,
                    tenant=wish.tenant,
                    user_id=wish.user_id,
                    key=wish.idempotency_key,
                    upload_id=twin.id,
                )
            return twin
        upload = await uploads.insert(tx, new)
    await _check(tx, upload)
    facts = {"token": "issued"} if wish.with_token else {}
    await audit.of_upload(tx, "upload.opened", upload, actor=wish.actor, **facts)
    return upload


async def _check(tx: Tx, upload: Upload) -> None:
    """Refuse what the tenant may not upload, or not now; all that was written is rolled back.

    The insert has counted it and holds the count: nobody else's upload is missing there.
    """
    standing = await quotas.standing(tx, upload.tenant)
    check_size(standing.quotas, upload.size_bytes)
    check_declared(standing.quotas, upload.file_type, upload.file_name)
    check_reserved(standing, upload.size_bytes)


def _is_ending(twin: Upload) -> bool:
    """Whether it takes no chunks any more and will most likely be FAILED."""
    if twin.phase is Phase.ASSEMBLING:
        return twin.intent is not Intent.COMPLETE and not twin.awaits_hashing
    return twin.ran_out
