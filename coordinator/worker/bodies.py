"""From a row of ``jobs`` to the function that does it, and what that works with."""

import asyncio
import importlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any, Final

from coordinator.adapters import artifacts, jobs, kept_manifests
from coordinator.adapters.artifacts import Artifact
from coordinator.adapters.embedders import read_embedder
from coordinator.adapters.stores import Stores
from coordinator.adapters.trainers import read_trainers
from coordinator.domain import ids
from coordinator.domain.job_parameters import Parameters, ScanPii, restored
from coordinator.domain.jobs import Job, State
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
    redacted = _redacted(job, others, made)
    job_id = ids.encode(ids.JOB, job.id)
    subject = Subject(
        upload_id=upload.public_id,
        job_id=job_id,
        attempt=job.attempt,
        file_name=upload.file_name if redacted is None else redacted["fileName"],
        file_type=upload.file_type if redacted is None else redacted["fileType"],
        root=redacted["root"] if redacted else kept.root if kept else None,
        sha256=kept.sha256.hex() if kept and kept.sha256 and not redacted else None,
        folder=artifact_folder(upload.object_key, job_id),
        token=upload.token,
        earlier=_earlier(job, others),
        artifacts={(each.kind, each.path): (each.object_key, each.size_bytes) for each in made},
    )
    host = Host(
        asyncio.get_running_loop(),
        stores.bucket,
        S3Place(settings.s3_endpoint, upload.region, settings.uses_path_addressing),
        pool=stores.pool,
        job=job,
    )
    source = (upload.object_key, upload.size_bytes)
    return Workspace(
        subject,
        source if redacted is None else (redacted["key"], redacted["size"]),
        host,
        tools.executor,
        options=tools.options,
        stopped=stopped,
        ahead=tools.ahead,
    )


def _earlier(job: Job, others: Iterable[Job]) -> Mapping[Kind, dict[str, Any]]:
    """Return results of what the job needs, and of what these need: nothing that may still come."""
    by_id = {each.id: each for each in others}
    wanted = list(job.needs)
    found: dict[Kind, dict[str, Any]] = {}
    while wanted:
        each = by_id.get(wanted.pop())
        if each is not None and each.state is State.SUCCEEDED and each.result is not None:
            found.setdefault(each.kind, each.result)
            wanted += each.needs
    return found


def _redacted(job: Job, others: Iterable[Job], made: Iterable[Artifact]) -> dict[str, Any] | None:
    """Return the redacted copy, where a scan that the job needs has made one."""
    others = list(others)
    result = _earlier(job, others).get(Kind.SCAN_PII)
    redacted = None if result is None else result.get("redacted")
    if redacted is None:
        return None
    scans = {each.id for each in others if each.kind is Kind.SCAN_PII and _policy(each) == "redact"}
    keys = {each.path: each for each in made if each.job_id in scans}
    found = keys[redacted["path"]]
    return {**redacted, "key": found.object_key, "size": found.size_bytes, "root": found.root}


def _policy(job: Job) -> str:
    parameters = parameters_of(job)
    assert isinstance(parameters, ScanPii), "a scan"
    return parameters.policy
