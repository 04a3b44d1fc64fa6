"""Tell sinks how jobs ended, in the transaction that ended them."""

from collections.abc import Collection
from uuid import UUID

from coordinator.adapters import events, jobs, uploads
from coordinator.adapters.postgres import Tx
from coordinator.adapters.stores import Stores
from coordinator.domain.events import OF_JOBS, job_ended
from coordinator.domain.jobs import ENDED


async def tell_jobs(tx: Tx, stores: Stores, upload_id: UUID, job_ids: Collection[UUID]) -> None:
    """Tell of those jobs of an upload that have just ended; their rows must say so by now.

    Where no sink wants to hear of jobs, nothing is read or written.
    """
    if not job_ids or not any(map(stores.sinks.wanting, OF_JOBS)):
        return
    upload = await uploads.read_any(tx, upload_id)
    rows = await jobs.of_upload(tx, upload_id)
    ended = [job for job in rows if job.id in job_ids and job.state in ENDED]
    await events.add(tx, stores.sinks, *(job_ended(upload, job) for job in ended))
