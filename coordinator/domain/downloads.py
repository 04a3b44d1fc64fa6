"""What of a completed upload may be fetched, after what its scan for personal data was told."""

from collections.abc import Iterable
from typing import Final

import msgspec

from coordinator.domain import ids
from coordinator.domain.errors import DownloadBlockedError
from coordinator.domain.job_parameters import ScanPii, restored
from coordinator.domain.jobs import Job, State
from coordinator.domain.kinds import Kind
from coordinator.domain.names import artifact_folder
from coordinator.domain.uploads import Upload

PENDING: Final = "scan-pending"
FAILED: Final = "scan-failed"


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The object that a download gives, and jobs behind the scan read."""

    key: str
    file_name: str
    file_type: str
    size_bytes: int
    redacted_root: str | None = None  # of a copy without personal data; None: as it was sent

    @property
    def is_redacted(self) -> bool:
        """Whether it is the copy."""
        return self.redacted_root is not None


def fetched(upload: Upload, jobs: Iterable[Job]) -> Fetched:
    """Say which object may be fetched.

    A scan that should redact or block keeps the object in until it has succeeded. Of several, the
    first that keeps it in decides, and of copies that are redacted the last is given.

    Raises:
        DownloadBlockedError: the scan has found something, has failed, or has not ended.

    """
    found = original(upload)
    for job in jobs:
        if job.kind is not Kind.SCAN_PII or _policy(job) == "report":
            continue
        if job.state is not State.SUCCEEDED:
            raise DownloadBlockedError(FAILED if job.state is State.FAILED else PENDING)
        if job.blocks is not None:
            raise DownloadBlockedError(job.blocks)
        found = redacted_copy(upload, job) or found
    return found


def original(upload: Upload) -> Fetched:
    """Return the object as it was sent."""
    return Fetched(
        key=upload.object_key,
        file_name=upload.file_name,
        file_type=upload.file_type,
        size_bytes=upload.size_bytes,
    )


def redacted_copy(upload: Upload, job: Job) -> Fetched | None:
    """Return the copy that a scan has made; ``None`` where it made none, or is no scan."""
    redacted = (job.result or {}).get("redacted")
    if job.kind is not Kind.SCAN_PII or redacted is None:
        return None
    folder = artifact_folder(upload.object_key, ids.encode(ids.JOB, job.id))
    return Fetched(
        key=folder + redacted["path"],
        file_name=redacted["fileName"],
        file_type=redacted["fileType"],
        size_bytes=redacted["size"],
        redacted_root=redacted["root"],
    )


def _policy(job: Job) -> str:
    parameters = restored(job.kind, job.parameters)
    assert isinstance(parameters, ScanPii), "a scan"
    return parameters.policy
