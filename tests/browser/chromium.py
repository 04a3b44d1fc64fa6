"""Debian's Chromium, and what npm installed beside it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Playwright

_HERE: Final = Path(__file__).parent
_ARGUMENTS: Final = ["--disable-dev-shm-usage"]  # which is small in containers


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Run it until the block ends; Playwright's own browsers are not installed."""
    path = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    assert path is not None, "no Chromium here: `make browser-test` installs it, or says how"
    browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
    try:
        yield browser
    finally:
        browser.close()


def node_modules() -> Path:
    """Return where the packages of npm are, which `make browser-test` installs."""
    found = _HERE / "node_modules"
    assert (found / "axe-core").is_dir(), "run `make browser-test`, which installs it"
    return found


def bundle(entry: Path, out: Path) -> None:
    """Make one file of a module and all that it imports from npm, as a site's build would."""
    subprocess.run(
        [
            str(node_modules() / ".bin" / "esbuild"),
            *(str(entry), f"--outfile={out}", "--bundle", "--format=esm", "--minify"),
            *('--define:process.env.NODE_ENV="production"', "--log-level=error"),
        ],
        check=True,
    )
