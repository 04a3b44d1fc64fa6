"""Drive a sealed upload to its end: assemble it, or abort it.

Whoever calls holds the lease. What turns out not to be possible opens the upload again; what S3
does not answer stays ASSEMBLING until somebody takes over.
"""

import manifests
from coordinator import points, tracing
from coordinator.adapters import audit, events, leases, queue, signings
from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import Content, content_of, needs_hashing
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import ChecksumMismatchError, CoordinatorError, PartsMissingError
from coordinator.domain.events import upload_failed
from coordinator.domain.phases import Event, Intent, Reason, after
from coordinator.domain.uploads import Upload
from coordinator.operations.assemble_object import PartsLostError, assemble_object
from coordinator.operations.check_type import finish_or_refuse
from coordinator.operations.prove_object import NO_ANSWER, Finding, look
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.operations.reopen_upload import reopen_upload
from coordinator.telemetry import UPLOADS, file_type_label


@tracing.traced()
async def drive_upload(
    stores: Stores,
    upload: Upload,
    *,
    manifest: manifests.Manifest | None,
    actor: str,
) -> Upload:
    """Do what ``upload.intent`` says.

    Returns the upload: COMPLETED, FAILED, or ASSEMBLING where a worker must read the object.

    Raises:
        PartsMissingError: S3 lacks chunks; the upload is open again.
        ChecksumMismatchError: what S3 holds is not what was declared; the upload is open again.
        KeyTakenError: somebody else's object is in the way; the upload is open again.
        UnavailableError: S3 is asked too often; the upload is open again.
        UnsettledError: it stays ASSEMBLING, and whoever takes over settles it by proof.
        LeaseLostError: another attempt has taken over.

    """
    tracing.describe(
        {
            tracing.UPLOAD_ID: upload.public_id,
            tracing.INTENT: upload.intent or "",
            tracing.ATTEMPT: upload.attempt,
        }
    )
    points.passed("sealed")
    async with stores.pool.connection() as conn:
        digests = await signings.read_digests(conn, upload.id)
    if upload.intent is not Intent.COMPLETE:
        return await _abort(stores, upload, content_of(upload.plan, digests), actor=actor)
    try:
        content = await assemble_object(stores, upload, digests, manifest)
    except PartsLostError:
        every = range(upload.plan.chunk_count)
        await reopen_upload(stores, upload, missing=every, multipart_lost=True)
        raise PartsMissingError(every) from None
    except PartsMissingError as refusal:
        await reopen_upload(stores, upload, missing=refusal.missing)
        raise
    except ChecksumMismatchError as refusal:
        # Completing by itself would end in the same for ever: the client must ask, and hear it.
        await reopen_upload(stores, upload, missing=refusal.missing, automatic=False)
        raise
    except (CoordinatorError, *NO_ANSWER):
        await reopen_upload(stores, upload, missing=())
        raise
    return await _finish_or_hash(stores, upload, content, actor=actor)


async def _finish_or_hash(
    stores: Stores, upload: Upload, content: Content, *, actor: str
) -> Upload:
    """Finish the upload whose object is proven, unless a worker must read the object first."""
    declared = Declared(upload.declared_sha256, upload.declared_root)
    if needs_hashing(upload.plan, declared) or stores.capabilities.needs_reading:
        async with transaction(stores.pool) as tx:
            waiting = await leases.leave(tx, upload, upload.phase, assembled=True)
            await queue.enqueue_verification(tx, upload.id)
        points.passed("awaiting-hash")
        await ledger_or_nothing(stores.ledger.forget(upload))
        return waiting
    kept = KeptManifest(content.digests, content.root, declared.sha256)
    return await finish_or_refuse(stores, upload, kept, actor=actor)


async def _abort(stores: Stores, upload: Upload, content: Content | None, *, actor: str) -> Upload:
    """Abort until S3 lists nothing, then look whether an earlier attempt had completed it."""
    if upload.multipart_id is not None:
        await stores.bucket.abort(upload.object_key, upload.multipart_id)
    points.passed("multipart-aborted")
    if content and await look(stores, upload, content) is Finding.OURS:
        return await _finish_or_hash(stores, upload, content, actor=actor)
    reason = Reason.ABORTED if upload.intent is Intent.ABORT else Reason.EXPIRED
    async with transaction(stores.pool) as tx:
        failed = await leases.leave(tx, upload, after(upload.phase, Event.GIVE_UP), reason=reason)
        await audit.of_upload(tx, f"upload.{reason}", upload, actor=actor)
        await events.add(tx, stores.sinks, upload_failed(upload, reason=reason))
    points.passed("failed")
    await ledger_or_nothing(stores.ledger.forget(upload))
    UPLOADS.labels(reason, file_type_label(upload.file_type)).inc()
    return failed
