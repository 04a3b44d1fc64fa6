"""The files that our pages are made of: all there, small, and within what their policy allows."""

import re
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path
from typing import Final

import pytest

from coordinator.web import pages
from coordinator.web.hygiene import page_policy

_STATIC: Final = Path(str(resources.files("coordinator.web") / "static"))
# All that a page of ours loads, as it comes over the wire.
_MOST_BYTES: Final = 150 * 1024


def _loaded(start: str) -> set[str]:
    """Return what a page loads: its links and scripts, and what these import in turn."""
    found: set[str] = set()
    due = [start]
    while due:
        path = due.pop()
        if path in found:
            continue
        found.add(path)
        text = (_STATIC / path).read_text(encoding="utf-8")
        named = re.findall(r"""(?:src|href)="(/(?:js|pages)/[^"]+)\"""", text)
        named += re.findall(r"""(?:from|import|import\()\s*"([./][^"]+)\"""", text)
        for each in named:
            place = Path(path).parent / each if each.startswith(".") else Path(each[1:])
            due.append(str(Path(*_tidy(place))))
    return found


def _tidy(path: Path) -> list[str]:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return parts


@pytest.mark.parametrize("page", ["pages/index.html", "pages/ops.html"])
def test_all_that_a_page_loads_is_served_and_small(page: str) -> None:
    """150 KB together, as they come over the wire, is little more than one photo."""
    files = pages.read_files(resources.files("coordinator.web") / "static")

    loaded = _loaded(page)

    assert loaded - set(files) == set()
    sizes = [len(files[each].packed or files[each].body) for each in loaded]
    assert 2_000 < sum(sizes) < _MOST_BYTES


def test_only_files_that_pages_are_made_of_are_served(tmp_path: Path) -> None:
    """An editor's copies, notes and types lie beside them at times, and are nobody's business."""
    names = [
        "js/a.js",
        "js/deep/b.css",
        "js/.a.js",
        "js/.git/c.js",
        "js/a.d.ts",
        "js/notes",
        "d.js",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("any", encoding="utf-8")

    assert sorted(pages.read_files(tmp_path)) == ["js/a.js", "js/deep/b.css"]


def test_both_pages_together_are_small() -> None:
    """Who opens one tab after the other has loaded all of it."""
    files = pages.read_files(resources.files("coordinator.web") / "static")

    assert sum(len(each.packed or each.body) for each in files.values()) < _MOST_BYTES


@pytest.mark.parametrize("page", ["index.html", "ops.html"])
def test_a_page_needs_nothing_that_its_policy_refuses(page: str) -> None:
    """No inline script or style, no handler in an attribute, nothing from elsewhere."""
    text = (_STATIC / "pages" / page).read_text(encoding="utf-8")

    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
    assert not re.search(r"""(?:src|href)=["'](?!/|#)""", text)
    assert "<base" not in text


def test_scripts_use_none_of_what_trusted_types_refuse() -> None:
    """Text of users is set as text. The one policy that is made is the one that is allowed."""
    scripts = {path: path.read_text("utf-8") for path in _STATIC.rglob("*.js")}
    sinks = re.compile(r"\.(?:innerHTML|outerHTML|srcdoc)\s*=|insertAdjacentHTML|document\.write")
    evals = re.compile(r"\beval\(|new Function\(|setTimeout\(\s*[\"'`]")
    made = [name for text in scripts.values() for name in re.findall(r'Policy\("([^"]+)"', text)]
    directives = page_policy(s3="https://s3.example").split("; ")
    allowed = next(each for each in directives if each.startswith("trusted-types")).split()[1:]

    assert scripts
    assert [path.name for path, text in scripts.items() if sinks.search(text)] == []
    assert [path.name for path, text in scripts.items() if evals.search(text)] == []
    assert made == allowed


def test_the_wheel_has_all_that_is_served(tmp_path: Path) -> None:
    """An installation has no source beside it."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=_STATIC.parents[2], check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    served = pages.read_files(resources.files("coordinator.web") / "static")

    assert {f"coordinator/web/static/{path}" for path in served} <= held
    assert not any("node_modules" in name or "/tests/" in name for name in held)
