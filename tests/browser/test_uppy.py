"""Our plugin under the real Uppy 6 from npm, with its Dashboard, as its users press its buttons."""

import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import bundle
from tests.browser.conftest import MakeFile
from tests.browser.driving import never_falls
from tests.browser.own_pages import PATIENCE_MS
from tests.browser.stage import Stage
from tests.builders import MIB, SMALLEST
from tests.faults.hostile_s3 import PART

_ENTRY: Final = Path(__file__).parent / "pages" / "uppy-dashboard.entry.js"


@pytest.fixture(scope="module", autouse=True)
def _bundled(builds: Path) -> None:
    """Uppy in one file, as a site's build makes it; our plugin needs no build."""
    bundle(_ENTRY, builds / "uppy-dashboard.js")


@pytest.fixture
def dashboard(scene: Stage, page: Page) -> Page:
    """The page, loaded."""
    scene.page.chunk_bytes = SMALLEST
    query = urlencode({"endpoint": scene.installation.url})
    page.goto(f"{scene.page.address}/pages/uppy.html?{query}")
    page.wait_for_function("document.title === 'ready'", timeout=PATIENCE_MS)
    return page


def choose(dashboard: Page, *paths: Path) -> None:
    """Choose files in the Dashboard, and start."""
    dashboard.set_input_files(".uppy-Dashboard-input >> nth=0", list(paths))
    dashboard.get_by_role("button", name="Upload", exact=False).last.click()


def completed(dashboard: Page) -> dict[str, Any]:
    """Return what Uppy tells its page at the end."""
    dashboard.wait_for_function("seen.complete !== null", timeout=PATIENCE_MS)
    found: dict[str, Any] = dashboard.evaluate("seen.complete")
    return found


def test_files_chosen_in_the_dashboard_arrive_under_our_checksums(
    scene: Stage, dashboard: Page, make_file: MakeFile
) -> None:
    """Uppy's users keep their widget, and get what it lacks."""
    paths = {path.name: path for path in (make_file(4 * SMALLEST), make_file(3_000, "🦭 seal.txt"))}

    choose(dashboard, *paths.values())
    told = completed(dashboard)

    assert told["failed"] == []
    assert {each["name"] for each in told["successful"]} == set(paths)
    assert all(scene.holds(each["uploadId"], paths[each["name"]]) for each in told["successful"])
    assert never_falls(dashboard.evaluate("seen.progress"))
    assert {asked["album"] for asked in scene.page.asked} == {"seals"}
    expect(dashboard.get_by_text("Complete", exact=True)).to_be_visible()


def test_pause_and_resume_of_the_dashboard_are_ours(
    scene: Stage, dashboard: Page, make_file: MakeFile
) -> None:
    """The buttons are there because the plugin says that it can; so it has to."""
    scene.line.slow_to(8 * MIB)
    path = make_file(8 * SMALLEST)

    choose(dashboard, path)
    dashboard.wait_for_function("uppy.getFiles()[0].progress.bytesUploaded > 10e6")
    dashboard.get_by_role("button", name="Pause", exact=True).click()
    before = scene.await_quiet()
    time.sleep(1.5)
    sent_meanwhile = scene.s3.count(PART) - before
    dashboard.get_by_role("button", name="Resume", exact=True).click()
    told = completed(dashboard)

    assert sent_meanwhile == 0
    assert scene.holds(told["successful"][0]["uploadId"], path)
    assert set(scene.stored) == set(range(1, 9))


def test_a_refusal_reaches_the_dashboard_in_plain_words_and_can_be_tried_again(
    scene: Stage, dashboard: Page, make_file: MakeFile
) -> None:
    """What went wrong is said where the person looks."""
    path = make_file(SMALLEST)
    scene.page.service = scene.page.service.without_key()

    choose(dashboard, path)
    dashboard.wait_for_function("seen.errors.length === 1", timeout=PATIENCE_MS)
    errors = dashboard.evaluate("seen.errors")
    scene.reset()
    dashboard.evaluate("seen.complete = null")
    dashboard.get_by_role("button", name="Retry", exact=False).last.click()
    told = completed(dashboard)

    assert [(error["name"], error["code"]) for error in errors] == [(path.name, "session-failed")]
    assert errors[0]["details"]
    assert scene.holds(told["successful"][0]["uploadId"], path)
