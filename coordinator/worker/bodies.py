"""From a row of ``jobs`` to the function that does it, and what that works with."""

import asyncio
import importlib
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Final

from coordinator.adapters import artifacts, jobs, kept_manifests
from coordinator.adapters.embedders import read_embedder
from coordinator.adapters.stores import Stores
from coordinator.adapters.trainers import read_trainers
from coordinator.domain import ids
from coordinator.domain.downloads import original, redacted_copy
from coordinator.domain.job_parameters import Parameters, restored
from coordinator.domain.jobs import Job, needed_by
from coordinator.domain.kinds import Kind
from coordinator.domain.names import artifact_folder
from coordinator.domain.uploads import Upload
from coordinator.jobs.host import Host, S3Place
from coordinator.jobs.inline import Inline
from coordinator.jobs.workspace import Options, Outcome, Subject, Workspace
from coordinator.settings import Settings

Body = Callable[[Workspace, Parameters], Outcome]

# What takes a processor, or a lot of memory, for long.
HEAVY: Final = frozenset(
    {
        Kind.VALIDATE_SCHEMA,
        Kind.SCAN_PII,
        Kind.GENERATE_METADATA,
        Kind.PREPARE_TRAINING_DATASET,
        Kind.GENERATE_EMBEDDINGS,
    }
)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a worker has for all its jobs."""

    executor: Executor = field(default_factory=Inline)
    options: Options = field(default_factory=Options)
    heavy: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, 1))
    ahead: int = 2


def options_of(settings: Settings) -> Options:
    """Take what bodies need out of the settings."""
    return Options(
        database_url=settings.database_url,
        secret=settings.secret,
        public_url=settings.public_url,
        embedder=read_embedder(settings.embeddings),
        trainers=read_trainers(settings),
    )


def body_of(kind: Kind) -> Body:
    """Return a kind's function; its libraries are imported when the first such job runs."""
    module = importlib.import_module(f"coordinator.jobs.{kind}")
    body: Body = module.run
    return body


def parameters_of(job: Job) -> Parameters:
    """Return what the job was told."""
    return restored(job.kind, job.parameters)


async def open_workspace(
    stores: Stores,
    settings: Settings,
    tools: Tools,
    *,
    job: Job,
    upload: Upload,
    stopped: Event,
) -> Workspace:
    """Gather what the job's body works with."""
    async with stores.pool.connection() as conn:
        others = await jobs.of_upload(conn, upload.id)
        made = await artifacts.of_upload(conn, upload.id)
        kept = await kept_manifests.read(conn, upload.id)
    needed = needed_by(job, others)
    copies = (redacted_copy(upload, each) for each in needed)
    source = next((each for each in copies if each is not None), original(upload))
    whole = kept if kept is not None and not source.is_redacted else None
    job_id = ids.encode(ids.JOB, job.id)
    subject = Subject(
        upload_id=upload.public_id,
        job_id=job_id,
        attempt=job.attempt,
        file_name=source.file_name,
        file_type=source.file_type,
        root=whole.root if whole else source.redacted_root,
        sha256=whole.sha256.hex() if whole and whole.sha256 else None,
        folder=artifact_folder(upload.object_key, job_id),
        token=upload.token,
        earlier={each.kind: each.result or {} for each in needed},
        artifacts={
            (each.kind, each.path): (each.object_key, each.size_bytes)
            for each in made
            if each.job_id in {job.id for job in needed}
        },
    )
    host = Host(
        asyncio.get_running_loop(),
        stores.bucket,
        S3Place(settings.s3_endpoint, upload.region, settings.uses_path_addressing),
        pool=stores.pool,
        job=job,
    )
    return Workspace(
        subject,
        (source.key, source.size_bytes),
        host,
        tools.executor,
        options=tools.options,
        stopped=stopped,
        ahead=tools.ahead,
    )
