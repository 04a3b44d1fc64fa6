"""Folders and servers for the tests of this folder, apart from those that the run shares."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.embedded import Servers, running


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="embedded-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that every user may reach, which pytest's own is not."""
    folder = _folder()
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers that the tests of a module may break."""
    folder = _folder()
    with running(folder / "home") as servers:
        yield servers
    shutil.rmtree(folder)
