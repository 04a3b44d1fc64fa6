"""The last step of a proven upload: one transaction for phase, manifest, jobs and audit."""

from uuid import UUID

import manifests
from coordinator import points
from coordinator.adapters import audit, events, jobs, kept_manifests, leases, queue, signings
from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.events import upload_completed
from coordinator.domain.jobs import job_id
from coordinator.domain.kinds import Kind
from coordinator.domain.names import manifest_key
from coordinator.domain.phases import Event, after
from coordinator.domain.pipelines import plan_or_least
from coordinator.domain.uploads import Upload
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.telemetry import UPLOAD_BYTES, UPLOAD_DURATION, UPLOADS, file_type_label


def document(upload: Upload, kept: KeptManifest) -> manifests.Manifest:
    """Put the manifest together from what the two tables hold."""
    return manifests.Manifest(
        file_name=upload.file_name,
        file_size=upload.size_bytes,
        chunk_size=upload.chunk_bytes,
        digests=kept.digests,
        sha256=kept.sha256,
    )


async def finish_upload(
    stores: Stores, upload: Upload, kept: KeptManifest, *, actor: str, detected: str | None
) -> Upload:
    """Make a proven upload COMPLETED. ``upload`` must hold the lease.

    The manifest is put beside the object first: doing so twice writes the same bytes.

    Raises:
        LeaseLostError: another attempt has taken over; nothing of this one stands in Postgres.

    """
    await stores.bucket.put(
        manifest_key(upload.object_key),
        manifests.canonical(document(upload, kept)),
        file_type="application/json",
        token=upload.token,
    )
    points.passed("manifest-put")
    async with transaction(stores.pool) as tx:
        done = await leases.leave(tx, upload, after(upload.phase, Event.FINISH), detected=detected)
        await kept_manifests.keep(tx, upload.id, kept)
        await signings.forget(tx, upload.id)
        await _add_jobs(tx, stores, upload)
        await audit.of_upload(tx, "upload.completed", upload, actor=actor)
        told = upload_completed(upload, root=kept.root, sha256=kept.sha256)
        await events.add(tx, stores.sinks, told)
    points.passed("completed")
    await ledger_or_nothing(stores.ledger.forget(upload))
    label = file_type_label(upload.file_type)
    UPLOADS.labels("completed", label).inc()
    UPLOAD_BYTES.labels(label).inc(upload.size_bytes)
    UPLOAD_DURATION.observe((done.as_of - done.created_at).total_seconds())
    return done


async def _add_jobs(tx: Tx, stores: Stores, upload: Upload) -> None:
    """Add all jobs; those that need none of the others may run at once."""
    made: dict[Kind, UUID] = {}
    for position, planned in enumerate(plan_or_least(upload.metadata, stores.pipelines)):
        new_id = job_id(upload.id, planned.kind, planned.parameters)
        made[planned.kind] = new_id
        is_new = await jobs.add(
            tx,
            new_id,
            upload.id,
            planned.kind,
            parameters=planned.parameters,
            position=position,
            needs=[made[each] for each in planned.needs],
        )
        if is_new and not planned.needs:
            await queue.enqueue_job(tx, new_id, planned.kind)
