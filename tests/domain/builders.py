"""Values for the tests of the domain: an upload, its chunks' digests, what S3 lists."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from hypothesis import settings

from coordinator.domain.assembly import ListedPart
from coordinator.domain.jobs import Job, State
from coordinator.domain.kinds import Kind
from coordinator.domain.phases import Phase
from coordinator.domain.plan import Plan
from coordinator.domain.uploads import Upload

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE_S: Final = 1_000

# Property tests of pure functions: a busy machine must not fail them.
patient: Final = settings(deadline=None)


def at(second: int) -> datetime:
    """Say a time by the database's clock, in seconds since the upload was opened."""
    return START + timedelta(seconds=second)


def an_upload(**changes: Any) -> Upload:
    """Make an upload of 25 bytes in chunks of 10, just opened, with the given changes."""
    upload = Upload(
        id=UUID(int=7),
        tenant="default",
        user_id="alice",
        bucket="datasets",
        region="eu-central-1",
        object_key="datasets/default/upl_00000000000000000000000007/data.csv",
        file_name="data.csv",
        file_type="text/csv",
        size_bytes=25,
        chunk_bytes=10,
        checksum=None,
        declared_sha256=None,
        declared_root=None,
        metadata={},
        phase=Phase.INIT,
        reason=None,
        generation=0,
        multipart_id=None,
        token="token",
        intent=None,
        attempt=0,
        lease_until=None,
        assembled_at=None,
        created_at=START,
        updated_at=START,
        deadline=at(DEADLINE_S),
        as_of=at(1),
    )
    return msgspec.structs.replace(upload, **changes)


def digests_of(plan: Plan) -> dict[int, bytes]:
    """Make a digest for every chunk, each its own."""
    return {
        index: hashlib.sha256(b"chunk %d" % index).digest() for index in range(plan.chunk_count)
    }


def listed_of(plan: Plan, *, shows_digests: bool = True) -> list[ListedPart]:
    """List all chunks as S3 does once all were sent rightly."""
    return [
        ListedPart(
            index + 1, f"etag-{index}", plan.length_of(index), digest if shows_digests else None
        )
        for index, digest in digests_of(plan).items()
    ]


def a_job(job_id: UUID, state: State, **changes: Any) -> Job:
    """Make a job of one upload in a state, with the given changes."""
    job = Job(
        id=job_id,
        upload_id=UUID(int=7),
        kind=Kind.GENERATE_METADATA,
        parameters={},
        needs=(),
        state=state,
        attempt=0,
        result=None,
        error_code=None,
        blocks=None,
        cancelled_by=None,
        done=None,
        total=None,
        created_at=START,
        started_at=None,
        finished_at=None,
    )
    return msgspec.structs.replace(job, **changes)
