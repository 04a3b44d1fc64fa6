"""Read what a completed upload's answer shows: its manifest's root and its jobs."""

import msgspec

from coordinator.adapters import jobs, kept_manifests
from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.stores import Stores
from coordinator.domain.jobs import Job, PipelineStatus, estimate, status_of
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Upload


class Pipeline(msgspec.Struct, frozen=True):
    """The jobs of an upload, taken together."""

    status: PipelineStatus
    estimated_time: str | None
    jobs: list[Job]


async def read_pipeline(stores: Stores, upload: Upload) -> Pipeline:
    """Read the jobs. The estimate is measured: ``None`` while none of the kind has run."""
    if upload.phase is not Phase.COMPLETED:
        return Pipeline(PipelineStatus.NONE, None, [])
    async with stores.pool.connection() as conn:
        found = await jobs.of_upload(conn, upload.id)
        rate = await jobs.throughput(conn, [job.kind for job in found])
    return Pipeline(status_of(job.state for job in found), estimate(upload.size_bytes, rate), found)


async def read_manifest(stores: Stores, upload: Upload) -> KeptManifest | None:
    """Read the manifest of a completed upload; ``None`` of any other."""
    async with stores.pool.connection() as conn:
        return await kept_manifests.read(conn, upload.id)
