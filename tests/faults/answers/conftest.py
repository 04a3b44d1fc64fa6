"""A service whose S3 is hostile: each of the two servers in turn, behind the proxy."""

from collections.abc import Iterator

import pytest

from tests.faults.hostile_s3 import HostileS3, hostile_s3
from tests.forwarding import passing_to
from tests.localstack import S3Address


@pytest.fixture
def s3(s3_server: S3Address) -> Iterator[HostileS3]:
    """The proxy before S3, harmless until a test says otherwise."""
    with hostile_s3(passing_to(s3_server.s3_endpoint)) as proxy:
        yield proxy


@pytest.fixture
def environ(environ: dict[str, str], s3: HostileS3) -> dict[str, str]:
    """Everything goes through the proxy; leases are short enough to be waited for."""
    return {
        **environ,
        "COORDINATOR_S3_ENDPOINT": s3.address,
        "COORDINATOR_LEASE_SECONDS": "3",
        "COORDINATOR_S3_DEADLINE_SECONDS": "1",
    }
