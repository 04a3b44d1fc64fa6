"""Complete an upload, abort it or let it expire: take the lease, then drive."""

from typing import Final
from uuid import UUID

from psycopg import OperationalError

import manifests
from coordinator.adapters import audit, leases, uploads
from coordinator.adapters.outlasting import outlasting
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.checksums import NOTHING, Declared
from coordinator.domain.phases import Intent, Reason
from coordinator.domain.uploads import Busy, Ended, Owner, Upload, seal, type_mismatch
from coordinator.operations.drive_upload import drive_upload
from coordinator.operations.prove_object import UnsettledError

_LAPSE_SECONDS: Final = 60.0  # after it, the lease is about to end by itself


async def complete_upload(
    stores: Stores,
    upload_id: UUID,
    owner: Owner,
    *,
    actor: str,
    checksum: str | None = None,
    declared: Declared = NOTHING,
    manifest: manifests.Manifest | None = None,
) -> Upload:
    """Complete the upload and return it: COMPLETED, or ASSEMBLING while somebody is at it.

    It may be asked for any number of times, by anybody allowed, at once: one attempt holds the
    lease, the others learn that it is under way.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.
        WrongPhaseError: it FAILED before.
        UploadExpiredError: its deadline has passed.
        ChecksumConflictError: another checksum was declared before.
        PartsMissingError: S3 lacks chunks; the upload is open again.
        ChecksumMismatchError: what S3 holds is not what was declared; the upload is open again.
        KeyTakenError: somebody else's object stands at the key; the upload is open again.
        TypeNotAllowedError: it FAILED, because the object is not of the declared type.
        UnavailableError: S3 is asked too often; the upload is open again.

    """
    upload = await _seal_and_drive(
        stores,
        upload_id,
        owner,
        Intent.COMPLETE,
        actor=actor,
        checksum=checksum,
        declared=declared,
        manifest=manifest,
    )
    if upload.reason == Reason.TYPE_MISMATCH:
        raise type_mismatch(upload)
    return upload


async def abort_upload(stores: Stores, upload_id: UUID, owner: Owner, *, actor: str) -> Upload:
    """Abort the upload and return it: FAILED, or ASSEMBLING while somebody else is at it.

    An upload whose object turns out to be whole in S3 is COMPLETED instead: it is never destroyed.

    Raises:
        UploadNotFoundError: there is no such upload, or it is somebody else's.
        WrongPhaseError: it is COMPLETED.
        HeldError: it is on hold.

    """
    return await _seal_and_drive(stores, upload_id, owner, Intent.ABORT, actor=actor)


async def expire_upload(stores: Stores, upload: Upload) -> Upload:
    """End an upload whose deadline has passed and return it: FAILED, or COMPLETED if it is whole.

    It comes back as it was where its deadline is yet to come or somebody else is at it; a
    completion that came first goes on.

    Raises:
        WrongPhaseError: it is COMPLETED meanwhile.

    """
    owner = Owner(upload.tenant, None)
    return await _seal_and_drive(stores, upload.id, owner, Intent.EXPIRE, actor=audit.WORKER)


async def _seal_and_drive(
    stores: Stores,
    upload_id: UUID,
    owner: Owner,
    intent: Intent,
    *,
    actor: str,
    checksum: str | None = None,
    declared: Declared = NOTHING,
    manifest: manifests.Manifest | None = None,
) -> Upload:
    async with transaction(stores.pool) as tx:
        before = await uploads.lock(tx, upload_id, owner)
        decision = seal(before, intent, declared, checksum)
        if isinstance(decision, Ended | Busy):
            return before
        upload = await leases.take(tx, upload_id, decision, lease=stores.lease)
    await stores.ledger.notify(upload_id)
    try:
        return await drive_upload(stores, upload, manifest=manifest, actor=actor)
    except (UnsettledError, leases.LeaseLostError):
        # Still ASSEMBLING, by this attempt or by the one that took over.
        return upload
    except OperationalError:
        # Postgres went away between two calls to S3, so none is under way: once Postgres is back,
        # whoever asks next need not wait for the lease.
        await outlasting(lambda: _lapse(stores, upload), seconds=_LAPSE_SECONDS)
        raise


async def _lapse(stores: Stores, upload: Upload) -> None:
    async with stores.pool.connection() as conn:
        await leases.lapse(conn, upload)
