"""What the tests share that take a whole installation apart."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.faults.installation import Installation, breakable_installation

# An upload whose sealing was under way waits for its lease.
_LEASES: Final = {"COORDINATOR_LEASE_SECONDS": "10", "COORDINATOR_S3_DEADLINE_SECONDS": "5"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Servers of our own, a service and a worker."""
    folder = tmp_path_factory.mktemp("installation")
    with breakable_installation(folder, **_LEASES) as running:
        yield running
