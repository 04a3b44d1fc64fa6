"""The generated pages say what the code says."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_DOCS: Final = Path(__file__).parents[2] / "docs"
_PAGES: Final = (
    "errors.md",
    "phases.md",
    "settings.md",
    "capabilities.md",
    "roles.md",
    "openapi.json",
)


def _check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(_DOCS / "generate.py"), "--check", "--folder", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_generated_page_is_stale() -> None:
    """`make docs` renews them."""
    checked = _check(_DOCS)

    assert (checked.returncode, checked.stdout) == (0, ""), checked.stderr


@pytest.mark.parametrize("page", ["errors.md", "openapi.json"])
def test_a_stale_page_is_found(tmp_path: Path, page: str) -> None:
    """Changed by hand, or not renewed: the check names it and fails."""
    for each in _PAGES:
        shutil.copy(_DOCS / each, tmp_path)
    (tmp_path / page).write_text((tmp_path / page).read_text() + "\n")

    checked = _check(tmp_path)

    assert (checked.returncode, checked.stdout) == (1, f"{page} is stale: run `make docs`\n")
