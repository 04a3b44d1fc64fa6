"""What of a completed upload may be fetched, after what its scan for personal data was told."""

from collections.abc import Iterable

import msgspec

from coordinator.domain import ids
from coordinator.domain.errors import DownloadBlockedError
from coordinator.domain.job_parameters import ScanPii, restored
from coordinator.domain.jobs import Job, State
from coordinator.domain.kinds import Kind
from coordinator.domain.names import artifact_folder
from coordinator.domain.uploads import Upload

PENDING = "scan-pending"
FAILED = "scan-failed"


class Fetched(msgspec.Struct, frozen=True):
    """The object that a download gives."""

    key: str
    file_name: str
    size_bytes: int
    is_redacted: bool


def fetched(upload: Upload, jobs: Iterable[Job]) -> Fetched:
    """Say which object may be fetched.

    A scan that should redact or block keeps the object in until it has succeeded. Of several, the
    first that keeps it in decides, and of copies that are redacted the last is given.

    Raises:
        DownloadBlockedError: the scan has found something, has failed, or has not ended.

    """
    found = Fetched(upload.object_key, upload.file_name, upload.size_bytes, is_redacted=False)
    for job in jobs:
        if job.kind is not Kind.SCAN_PII or _policy(job) == "report":
            continue
        if job.state is not State.SUCCEEDED:
            raise DownloadBlockedError(FAILED if job.state is State.FAILED else PENDING)
        if job.blocks is not None:
            raise DownloadBlockedError(job.blocks)
        found = _redacted(upload, job) or found
    return found


def _policy(job: Job) -> str:
    parameters = restored(job.kind, job.parameters)
    assert isinstance(parameters, ScanPii), "a scan"
    return parameters.policy


def _redacted(upload: Upload, job: Job) -> Fetched | None:
    redacted = (job.result or {}).get("redacted")
    if redacted is None:
        return None
    folder = artifact_folder(upload.object_key, ids.encode(ids.JOB, job.id))
    return Fetched(
        folder + redacted["path"], redacted["fileName"], redacted["size"], is_redacted=True
    )
