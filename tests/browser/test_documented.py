"""The examples of docs/browser.md, page and backend, as they stand there."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from litestar.testing import TestClient
from playwright.sync_api import Page, Route

from tests.browser.conftest import MakeFile
from tests.browser.stage import Stage
from tests.builders import MIB

_TEXT: Final = (Path(__file__).parents[2] / "docs" / "browser.md").read_text(encoding="utf-8")
_EXAMPLE_ENDPOINT: Final = "https://coordinator.example"


def example(language: str) -> str:
    """Return the first example in a language."""
    found = re.search(rf"```{language}\n(.*?)```", _TEXT, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def documented_backend(
    scene: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[TestClient[Any]]:
    """The ten lines, run."""
    monkeypatch.setenv("COORDINATOR_URL", scene.installation.url)
    monkeypatch.setenv("COORDINATOR_API_KEY", scene.installation.key)
    (tmp_path / "documented_backend.py").write_text(example("python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "documented_backend", raising=False)
    with TestClient(import_module("documented_backend").app) as client:
        yield client


def test_the_first_page_and_the_ten_lines_upload_a_file(
    scene: Stage,
    page: Page,
    builds: Path,
    make_file: MakeFile,
    documented_backend: TestClient[Any],
) -> None:
    """Somebody copies both, and has a page that uploads."""
    path = make_file(20 * MIB, "copied.bin")
    script = example("html").replace(_EXAMPLE_ENDPOINT, scene.installation.url)
    asked: list[int] = []

    def answer(route: Route) -> None:
        answered = documented_backend.post("/uploads", content=route.request.post_data_buffer)
        asked.append(answered.status_code)
        route.fulfill(status=answered.status_code, body=answered.content)

    origin = scene.page.address
    page.route(f"{origin}/uploads", answer)
    html = f'<!doctype html><input type="file">{script}'
    (builds / "documented.html").write_text(html, encoding="utf-8")
    page.goto(f"{origin}/builds/documented.html")
    page.wait_for_function("document.querySelector('input').onchange !== null")
    with page.expect_console_message(lambda each: each.text == f"{20 * MIB} of {20 * MIB}"):
        page.set_input_files("input", path)

    upload_id = scene.uploads()["copied.bin"]
    scene.await_status(upload_id, "COMPLETED")
    assert asked == [200]
    assert scene.holds(upload_id, path)


def test_the_ten_lines_renew_a_token(documented_backend: TestClient[Any]) -> None:
    """Asked again with the upload's id, they answer with another token for it."""
    asked = {"fileName": "long.bin", "fileSize": 10, "fileType": "", "resumeKey": "long-way-home"}

    opened = documented_backend.post("/uploads", json={**asked, "uploadId": None}).json()
    again = documented_backend.post("/uploads", json={**asked, "uploadId": None}).json()
    renewed = documented_backend.post("/uploads", json={**asked, "uploadId": opened["uploadId"]})

    assert again["uploadId"] == opened["uploadId"] == renewed.json()["uploadId"]
    assert renewed.json()["uploadToken"].startswith("ut_")
