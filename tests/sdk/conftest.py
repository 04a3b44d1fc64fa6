"""A real installation behind a proxy that can do harm, and clients of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coordinator.embedded import Addresses
from coordinator.sdk import Client
from tests.sdk.installation import Installation, installed
from tests.sdk.meddler import Meddler, meddling

MIB = 1024 * 1024


@pytest.fixture(scope="session")
def _meddler(servers: Addresses) -> Iterator[Meddler]:
    with meddling(servers.s3_endpoint) as meddler:
        yield meddler


@pytest.fixture(scope="session")
def installation(
    servers: Addresses, _meddler: Meddler, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A service and a worker whose part URLs lead through the meddler."""
    with installed(
        servers,
        tmp_path_factory.mktemp("installation"),
        database=f"sdk_{os.getpid()}",
        public_endpoint=_meddler.address,
    ) as running:
        yield running


@pytest.fixture
def meddler(_meddler: Meddler) -> Meddler:
    """The proxy before S3, harmless until a test says otherwise."""
    _meddler.reset()
    return _meddler


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    """A client with the installation's key."""
    with Client(installation.url, installation.key) as client:
        yield client


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that writes a file of random bytes."""

    def make(size: int, name: str = "data.bin") -> Path:
        path = tmp_path / name
        path.write_bytes(os.urandom(size))
        return path

    return make
