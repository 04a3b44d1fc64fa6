"""Read what a completed upload's answer shows: its manifest's root and its jobs."""

from collections.abc import Collection

import msgspec

from coordinator.adapters import job_listing, jobs, kept_manifests
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
    """Read the jobs. The estimate is measured: ``None`` while one of the kinds has never run."""
    if upload.phase is not Phase.COMPLETED:
        return Pipeline(PipelineStatus.NONE, None, [])
    async with stores.pool.connection() as conn:
        found = await jobs.of_upload(conn, upload.id)
        kinds = [job.kind for job in found]
        took = await job_listing.measured_seconds(conn, kinds, size_bytes=upload.size_bytes)
    return Pipeline(status_of(job.state for job in found), _estimate(took.values()), found)


def _estimate(seconds: Collection[float | None]) -> str | None:
    """Sum up all kinds; one of which nothing is known leaves all unknown."""
    known = [each for each in seconds if each is not None]
    return estimate(sum(known)) if len(known) == len(seconds) > 0 else None


async def read_manifest(stores: Stores, upload: Upload) -> KeptManifest | None:
    """Read the manifest of a completed upload; ``None`` of any other."""
    async with stores.pool.connection() as conn:
        return await kept_manifests.read(conn, upload.id)
