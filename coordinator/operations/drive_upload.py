"""Drive a sealed upload to its end: assemble it, or abort it.

Whoever calls holds the lease. Until CompleteMultipartUpload is sent everything can be given back by
reopening; from then on only proof decides.
"""

from collections.abc import Sequence

import structlog
from botocore.exceptions import BotoCoreError, ClientError

import manifests
from coordinator.adapters import audit, leases, queue, signings
from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.postgres import transaction
from coordinator.adapters.s3_answers import BadPartsError, ConflictError, MultipartGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import (
    AssemblyPart,
    Content,
    assemble,
    check_declared,
    check_manifest,
    content_of,
    needs_hashing,
)
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import ChecksumMismatchError, CoordinatorError, PartsMissingError
from coordinator.domain.phases import Event, Intent, Reason, after
from coordinator.domain.uploads import Upload
from coordinator.operations.finish_upload import finish_upload
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.telemetry import UPLOADS, file_type_label

_log = structlog.get_logger(__name__)

_STORE_TROUBLE = (TimeoutError, BotoCoreError, ClientError)


class UnsettledError(Exception):
    """S3's answer was lost and nothing could be proven yet: a later attempt will."""


async def drive_upload(
    stores: Stores,
    upload: Upload,
    before: Upload,
    *,
    manifest: manifests.Manifest | None,
    actor: str,
) -> Upload:
    """Do what ``upload.intent`` says; ``before`` is the row as it was ahead of the lease.

    Returns the upload: COMPLETED, FAILED, or ASSEMBLING where a worker must hash the object.

    Raises:
        PartsMissingError: S3 lacks chunks; the upload is open again.
        ChecksumMismatchError: what S3 holds is not what was declared; the upload is open again.
        UnsettledError: it stays ASSEMBLING, and whoever takes over settles it by proof.
        LeaseLostError: another attempt has taken over.

    """
    async with stores.pool.connection() as conn:
        digests = await signings.read_digests(conn, upload.id)
    if upload.intent is not Intent.COMPLETE:
        return await _abort(stores, upload, content_of(upload.plan, digests), actor=actor)
    content = await _assemble(stores, upload, before, digests, manifest)
    return await _finish_or_hash(stores, upload, content, actor=actor)


async def _finish_or_hash(
    stores: Stores, upload: Upload, content: Content, *, actor: str
) -> Upload:
    """Finish the upload whose object is proven, unless a worker must hash the object first."""
    declared = Declared(upload.declared_sha256, upload.declared_root)
    if needs_hashing(upload.plan, declared):
        async with transaction(stores.pool) as tx:
            waiting = await leases.leave(tx, upload, upload.phase, assembled=True)
            await queue.enqueue_verification(tx, upload.id)
        await ledger_or_nothing(stores.ledger.forget(upload))
        return waiting
    kept = KeptManifest(content.digests, content.root, declared.sha256)
    return await finish_upload(stores, upload, kept, actor=actor)


async def _assemble(
    stores: Stores,
    upload: Upload,
    before: Upload,
    digests: dict[int, bytes],
    manifest: manifests.Manifest | None,
) -> Content:
    """Bring the object into being, or reopen the upload and say why not."""
    content = content_of(upload.plan, digests)
    if content is not None:
        await _check_claims(stores, upload, before, content, manifest)
        if upload.attempt > 1 and await _is_proven(stores, upload, content):
            return content
    try:
        await _compare_and_complete_twice(stores, upload, digests)
    except MultipartGoneError:
        # Completed by an attempt whose answer was lost, or dropped by the bucket's lifecycle rule.
        if content is None or not await _is_proven(stores, upload, content):
            raise await _reopen_without_parts(stores, upload, before, lost=True) from None
    except BadPartsError:
        raise await _reopen_without_parts(stores, upload, before, lost=False) from None
    except (PartsMissingError, ChecksumMismatchError) as refusal:
        await _reopen(stores, upload, before, missing=refusal.missing)
        raise
    except (CoordinatorError, *_STORE_TROUBLE):
        await _reopen(stores, upload, before, missing=())
        raise
    assert content is not None, "assembled from digests"
    return content


async def _check_claims(
    stores: Stores,
    upload: Upload,
    before: Upload,
    content: Content,
    manifest: manifests.Manifest | None,
) -> None:
    """Compare what was declared with the digests, ahead of any proof: whole is not yet right."""
    try:
        check_declared(content, Declared(upload.declared_sha256, upload.declared_root))
        if manifest is not None:
            check_manifest(content, manifest)
    except ChecksumMismatchError:
        await _reopen(stores, upload, before, missing=())
        raise


async def _compare_and_complete_twice(
    stores: Stores, upload: Upload, digests: dict[int, bytes]
) -> None:
    """List once more and try once more if a part was sent again in between."""
    try:
        await _compare_and_complete(stores, upload, digests)
    except BadPartsError:
        await _compare_and_complete(stores, upload, digests)


async def _compare_and_complete(stores: Stores, upload: Upload, digests: dict[int, bytes]) -> None:
    """Compare what S3 lists with the digests that are fixed, and assemble it."""
    plan = upload.plan
    if upload.multipart_id is None:
        raise PartsMissingError(range(plan.chunk_count))
    parts = assemble(
        plan, digests, await stores.bucket.list_parts(upload.object_key, upload.multipart_id, plan)
    )
    content = content_of(plan, digests)
    assert content is not None, "parts without digests are missing parts"
    await _complete(stores, upload, content, parts)


async def _is_proven(stores: Stores, upload: Upload, content: Content) -> bool:
    """Say whether the object at the key is this upload's, whole: an object alone is no proof."""
    facts = await stores.bucket.facts(upload.object_key)
    return facts is not None and (facts.token, facts.size_bytes, facts.root) == (
        upload.token,
        upload.size_bytes,
        content.root,
    )


async def _complete(
    stores: Stores, upload: Upload, content: Content, parts: tuple[AssemblyPart, ...]
) -> None:
    """Send CompleteMultipartUpload, once, and believe only an answer that shows the root."""
    assert upload.multipart_id is not None, "there are parts, so there is a multipart"
    async with stores.pool.connection() as conn:
        await leases.extend(conn, upload, lease=stores.lease)
    try:
        root = await stores.bucket.complete(
            upload.object_key, upload.multipart_id, parts, size_bytes=upload.size_bytes
        )
        if root == content.root or await _is_proven(stores, upload, content):
            return
    except (ConflictError, *_STORE_TROUBLE) as exc:
        _log.warning("answer of S3 lost", error=type(exc).__name__)
        if await _is_proven_at_last(stores, upload, content):
            return
    raise UnsettledError(upload.public_id)


async def _is_proven_at_last(stores: Stores, upload: Upload, content: Content) -> bool:
    try:
        return await _is_proven(stores, upload, content)
    except _STORE_TROUBLE:
        return False


async def _abort(stores: Stores, upload: Upload, content: Content | None, *, actor: str) -> Upload:
    """Abort until S3 lists nothing, then look whether an earlier attempt had completed it."""
    if upload.multipart_id is not None:
        await stores.bucket.abort(upload.object_key, upload.multipart_id, upload.plan)
    if content and await _is_proven(stores, upload, content):
        return await _finish_or_hash(stores, upload, content, actor=actor)
    reason = Reason.ABORTED if upload.intent is Intent.ABORT else Reason.EXPIRED
    async with transaction(stores.pool) as tx:
        failed = await leases.leave(tx, upload, after(upload.phase, Event.GIVE_UP), reason=reason)
        await audit.append(
            tx, f"upload.{reason}", tenant=upload.tenant, actor=actor, upload_id=upload.id
        )
    await ledger_or_nothing(stores.ledger.forget(upload))
    UPLOADS.labels(reason, file_type_label(upload.file_type)).inc()
    return failed


async def _reopen_without_parts(
    stores: Stores, upload: Upload, before: Upload, *, lost: bool
) -> PartsMissingError:
    """Ask for all chunks again: S3 has none, or takes none of those that it has."""
    every = range(upload.plan.chunk_count)
    await _reopen(stores, upload, before, missing=every, multipart_lost=lost)
    return PartsMissingError(every)


async def _reopen(
    stores: Stores,
    upload: Upload,
    before: Upload,
    *,
    missing: Sequence[int],
    multipart_lost: bool = False,
) -> None:
    """Give the lease back and ask for chunks again, as if completion had not been asked for."""
    phase = after(upload.phase, Event.REOPEN)
    async with transaction(stores.pool) as tx:
        await leases.reopen(tx, upload, before, phase, multipart_lost=multipart_lost)
    await ledger_or_nothing(stores.ledger.clear(upload.id, missing))
