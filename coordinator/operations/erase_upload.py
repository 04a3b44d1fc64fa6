"""Remove a hidden upload from Redis, S3 and Postgres, in this order; every step may run twice."""

from typing import Final

import structlog

from coordinator import points
from coordinator.adapters import audit, erasing, erasures, events, leases, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.s3_listing import Listed
from coordinator.adapters.s3_versions import Version
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.erasures import Found, take_for_erasing
from coordinator.domain.errors import StoreRefusedError, UploadNotFoundError
from coordinator.domain.events import upload_erased
from coordinator.domain.phases import Event, Phase, Reason, after
from coordinator.domain.uploads import Ended, Seal, Upload

_log = structlog.get_logger(__name__)

_PASSES: Final = 20  # over the list of versions; the last finds nothing new


class NotYetError(Exception):
    """Somebody else drives the upload to an end: his lease must run out first."""


class RefusedError(Exception):
    """S3 keeps some versions, under a lock or for want of a permission: they are tried again."""


async def erase_upload(stores: Stores, upload: Upload) -> None:
    """Remove what is left of it. What was found is written down before it goes.

    Raises:
        NotYetError: it is being completed or hashed; later.
        RefusedError: S3 did not let all versions go; the row stays hidden, and says how many.

    """
    structlog.contextvars.bind_contextvars(upload_id=upload.public_id)
    await stores.ledger.bury(upload)
    points.passed("erasure-buried")
    try:
        sealed = await _seal(stores, upload)
    except UploadNotFoundError:
        return  # another worker has done it all
    found = await find(stores, upload)
    await _note(stores, upload, found)
    points.passed("erasure-counted")
    await _abort_multiparts(stores, upload)
    points.passed("erasure-parts-gone")
    if sealed is not None:
        await _end(stores, sealed)
        points.passed("erasure-ended")
    refused = await _delete_versions(stores, upload)
    if refused:
        await _note(stores, upload, Found(refused=refused))
        raise RefusedError(upload.public_id)
    points.passed("erasure-versions-gone")
    await _remove_rows(stores, upload)
    points.passed("erasure-rows-gone")


def folder_of(upload: Upload) -> str:
    """Return what all keys of the upload begin with, and no other upload's."""
    folder = upload.object_key.rpartition("/")[0] + "/"
    assert folder.endswith(f"/{upload.public_id}/"), "an upload has a folder of its own"
    return folder


async def find(stores: Stores, upload: Upload) -> Found:
    """Look at what S3 has of an upload, removing nothing."""
    if upload.bucket != stores.bucket.name:
        return Found(refused=1)
    folder = folder_of(upload)
    pages = [page async for page in stores.bucket.list_versions(folder)]
    versions = {each for page in pages for each in page}
    return Found(
        objects=sum(each.is_current for each in versions),
        versions=len(versions),
        bytes=sum(each.size_bytes for each in versions),
        multiparts=len(await _multiparts(stores, folder)),
    )


async def _multiparts(stores: Stores, folder: str) -> set[Listed]:
    return {each async for page in stores.bucket.list_multiparts(folder) for each in page}


async def _seal(stores: Stores, upload: Upload) -> Upload | None:
    """Take the lease of an upload that is open, so that nobody else ends it."""
    async with transaction(stores.pool) as tx:
        before = await uploads.lock_any(tx, upload.id)
        decision = take_for_erasing(before)
        if isinstance(decision, Ended):
            return None
        if not isinstance(decision, Seal):
            raise NotYetError(upload.public_id)
        sealed = await leases.take(tx, upload.id, decision, lease=stores.lease)
    points.passed("erasure-sealed")
    return sealed


async def _note(stores: Stores, upload: Upload, found: Found) -> None:
    async with stores.pool.connection() as conn:
        await erasing.note(conn, upload.id, found)


async def _abort_multiparts(stores: Stores, upload: Upload) -> None:
    """Abort what S3 lists and what the row names, each until S3 lists no part of it."""
    if upload.bucket != stores.bucket.name:
        return
    named = {(each.key, each.multipart_id) for each in await _multiparts(stores, folder_of(upload))}
    if upload.multipart_id is not None and upload.phase is not Phase.COMPLETED:
        named.add((upload.object_key, upload.multipart_id))
    for key, multipart_id in sorted(named):
        await stores.bucket.abort(key, multipart_id)


async def _end(stores: Stores, sealed: Upload) -> None:
    """Let it be FAILED, as all counts have it; an object that S3 has assembled goes, too."""
    async with transaction(stores.pool) as tx:
        phase = after(sealed.phase, Event.GIVE_UP)
        await leases.leave(tx, sealed, phase, reason=Reason.ABORTED)
        await audit.of_upload(tx, f"upload.{Reason.ABORTED}", sealed, actor=audit.WORKER)


async def _delete_versions(stores: Stores, upload: Upload) -> int:
    """Delete all versions, list again until nothing new is there, and return how many S3 keeps."""
    if upload.bucket != stores.bucket.name:
        return 1
    folder = folder_of(upload)
    kept: set[tuple[str, str]] = set()
    for _ in range(_PASSES):
        is_done = True
        async for page in stores.bucket.list_versions(folder):
            for version in page:
                name = (version.key, version.version_id)
                if name not in kept:
                    is_done = False
                    if not await _is_deleted(stores, version):
                        kept.add(name)
        if is_done:
            return len(kept)
    raise TimeoutError("S3 goes on listing versions that are deleted")


async def _is_deleted(stores: Stores, version: Version) -> bool:
    try:
        await stores.bucket.delete_version(version)
    except StoreRefusedError as refusal:
        _log.warning("version kept by S3", detail=refusal.detail)
        return False
    points.passed("erasure-version-gone")
    return True


async def _remove_rows(stores: Stores, upload: Upload) -> None:
    async with transaction(stores.pool) as tx:
        gone = await erasing.remove(tx, upload.id)
        if gone is None:
            return
        report = await erasures.lock_report(tx, gone.erasure_id)
        if report is not None:
            counted = report.plus(gone.found, gone.removed)
            await erasures.write_report(tx, gone.erasure_id, counted, finished=False)
        await audit.of_upload(
            tx,
            "upload.erased",
            upload,
            actor=audit.WORKER,
            erasure=ids.encode(ids.ERASURE, gone.erasure_id),
            objects=gone.found.objects,
            versions=gone.found.versions,
            jobs=gone.removed.jobs,
        )
        await events.add(tx, stores.sinks, upload_erased(upload))
    _log.info("erased", versions=gone.found.versions)
