"""What tests in a browser share: Chromium, the stage, pages of it, files, and where pictures go."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.chromium import launched
from tests.browser.driving import Driven
from tests.browser.own_pages import PATIENCE_MS
from tests.browser.stage import Stage, stage

_ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = _ROOT / ".local" / "screenshots"
_BLOCK: Final = 1024 * 1024

MakeFile = Callable[..., Path]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say where the pictures are, which somebody has to look at."""
    if pictures := sorted(PICTURES.glob("*.png")):
        terminalreporter.write_line(f"{len(pictures)} screenshots in {PICTURES}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each has a context of its own in it."""
    expect.set_options(timeout=PATIENCE_MS / 2)
    with sync_playwright() as playwright, launched(playwright) as running:
        yield running


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where bundles of Uppy lie: it is published in parts, which browsers cannot load."""
    return tmp_path_factory.mktemp("builds")


@pytest.fixture(scope="session")
def whole_stage(builds: Path) -> Iterator[Stage]:
    """The stage, set up once."""
    folder = Path(tempfile.mkdtemp(prefix="browser-", dir="/tmp"))
    folder.chmod(0o755)  # Postgres's user goes through it
    try:
        with stage(folder, builds) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def scene(whole_stage: Stage) -> Iterator[Stage]:
    """The stage as if nothing had happened on it, but for the uploads that there are."""
    whole_stage.reset()
    yield whole_stage
    whole_stage.line.heal()
    whole_stage.s3.heal()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of a person that nobody has used before."""
    fresh = browser.new_context()
    fresh.set_default_timeout(PATIENCE_MS)
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Its first tab."""
    return context.new_page()


@pytest.fixture
def driven(scene: Stage, page: Page) -> Driven:
    """The test's page, open in the tab."""
    return Driven.open(page, scene)


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """Make files of random bytes that really lie on the disk, as a person's do."""

    def make(size: int, name: str = "data.bin", folder: str = "") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for start in range(0, size, _BLOCK):
                file.write(os.urandom(min(_BLOCK, size - start)))
        return path

    return make
