"""Run a kind of job on a completed upload once more, told otherwise: a job of its own."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from coordinator.adapters import audit, jobs, queue, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import WrongPhaseError
from coordinator.domain.jobs import Job, job_id
from coordinator.domain.kinds import Kind
from coordinator.domain.phases import Phase
from coordinator.domain.pipelines import plan_or_least
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.end_job import advance


async def add_job(
    stores: Stores,
    upload_id: UUID,
    owner: Owner,
    kind: Kind,
    parameters: Mapping[str, Any],
    *,
    actor: str,
) -> tuple[Job, bool]:
    """Return the job, and whether it is new: the same kind told the same is the same job.

    It needs what its kind needs in the upload's pipeline, and a scan for personal data, where
    there is one: whatever was redacted or blocked stays so.

    Raises:
        UploadNotFoundError: there is none, it is another tenant's, or it is being erased.
        WrongPhaseError: the upload is not COMPLETED.

    """
    async with transaction(stores.pool) as tx:
        upload = await uploads.lock(tx, upload_id, owner)
        if upload.phase is not Phase.COMPLETED:
            raise WrongPhaseError(phase=upload.phase, event="run a job", reason=upload.reason)
        others = await jobs.lock_of_upload(tx, upload_id)
        needs = _needed(stores, upload, kind, others)
        new_id = job_id(upload_id, kind, parameters)
        is_new = await jobs.add(
            tx,
            new_id,
            upload_id,
            kind,
            parameters=parameters,
            position=len(others),
            needs=needs,
        )
        if is_new:
            if needs:
                await advance(tx, stores, upload_id)
            else:
                await queue.enqueue_job(tx, new_id, kind)
            await audit.of_upload(tx, "job.added", upload, actor=actor, kind=kind)
        job = await jobs.read(tx, new_id)
        assert job is not None, "added, or there before"
    await stores.ledger.notify(upload_id)
    return job, is_new


def _needed(stores: Stores, upload: Upload, kind: Kind, others: Sequence[Job]) -> list[UUID]:
    planned = plan_or_least(upload.metadata, stores.pipelines)
    kinds = {each for step in planned if step.kind is kind for each in step.needs}
    if kind not in {Kind.SCAN_PII, Kind.VALIDATE_SCHEMA}:
        kinds.add(Kind.SCAN_PII)
    # Of each kind the pipeline's own, which is the first.
    first: dict[Kind, UUID] = {}
    for each in others:
        if each.kind in kinds:
            first.setdefault(each.kind, each.id)
    return list(first.values())
