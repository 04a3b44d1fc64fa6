"""The operators' page: what it shows is what the service says, and only to whom it may be shown."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from coordinator.domain.access import Role
from tests.browser.conftest import MakeFile
from tests.browser.driving import Driven
from tests.browser.own_pages import PATIENCE_MS, OpsPage
from tests.browser.stage import Stage
from tests.browser.test_many_files import HOSTILE_NAMES
from tests.builders import MIB, SMALLEST
from tests.faults.installation import frozen

# What a role may see, in the order of the page.
VIEWS: Final = {
    Role.UPLOADER: ["Overview", "Uploads", "Jobs"],
    Role.VIEWER: ["Overview", "Uploads", "Jobs"],
    Role.OPERATOR: ["Overview", "Uploads", "Jobs", "Health"],
    Role.ADMIN: ["Overview", "Uploads", "Jobs", "Health", "Audit"],
}


@pytest.fixture
def admin(scene: Stage) -> str:
    """A key that may see everything of the tenant."""
    return scene.key_for(Role.ADMIN, Role.UPLOADER)


def test_an_upload_is_seen_chunk_by_chunk_while_it_goes_on(
    scene: Stage, driven: Driven, browser: Browser, make_file: MakeFile, admin: str
) -> None:
    """An operator looks at a browser's upload from another desk; nobody reloads anything."""
    scene.page.chunk_bytes = SMALLEST
    scene.line.slow_to(2 * MIB)
    path = make_file(8 * SMALLEST, "watched.bin")
    # Two at once, so that they arrive one after the other.
    driven.begin(path, parallel={"min": 1, "max": 2})
    upload_id = driven.until("it.progress.uploadId !== null")["progress"]["uploadId"]
    desk = browser.new_context()
    desk.set_default_timeout(PATIENCE_MS)

    ops = OpsPage.open(desk.new_page(), scene, admin, f"?upload={upload_id}")
    expect(ops.page.get_by_text(re.compile(r"^[1-7] of 8\schunks (is|are) there"))).to_be_visible()
    scene.line.heal()
    driven.result()
    expect(ops.page.get_by_text("All 8 chunks are there and proven.")).to_be_visible()
    complaints = ops.complaints
    desk.close()

    assert scene.holds(upload_id, path)
    assert complaints == []


def test_a_link_shows_the_same_to_somebody_else(
    scene: Stage, page: Page, browser: Browser, make_file: MakeFile, driven: Driven
) -> None:
    """The search stands in the address; the key never does."""
    for name in ("needle-1.bin", "needle-2.bin", "haystack.bin"):
        driven.begin(make_file(100, name))
        driven.result()

    ops = OpsPage.open(page, scene, scene.key_for(Role.ADMIN), "?view=uploads")
    page.get_by_role("searchbox").fill("needle")
    page.keyboard.press("Enter")
    names = page.locator("table th[scope=row] bdi")
    expect(names.filter(has_text="needle")).to_have_count(2)
    expect(names.filter(has_text="haystack")).to_have_count(0)
    link = page.url
    other = browser.new_context()
    colleague = OpsPage.open(
        other.new_page(), scene, scene.key_for(Role.VIEWER), link.partition("/ops")[2]
    )
    found = colleague.page.locator("table th[scope=row] bdi")
    expect(found.filter(has_text="needle")).to_have_count(2)
    shown = found.all_inner_texts()
    other.close()

    assert "q=needle" in link
    assert "ck_" not in link
    assert {text for text in shown if text.startswith("needle")} == {"needle-1.bin", "needle-2.bin"}
    assert ops.strangers() == []


@pytest.mark.parametrize("role", VIEWS)
def test_nobody_is_shown_what_the_role_may_not_see(scene: Stage, page: Page, role: Role) -> None:
    """A link to it, shared by somebody who may, says so and asks the service for nothing."""
    ops = OpsPage.open(page, scene, scene.key_for(role))
    shown = page.get_by_role("navigation", name="Operations").get_by_role("link").all_inner_texts()

    page.goto(f"{scene.installation.url}/ops?view=audit")
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("Audit" if "Audit" in VIEWS[role] else "Not for this key")

    assert shown == VIEWS[role]
    asked = [url for url in ops.requests if "/api/audit" in url]
    assert bool(asked) == ("Audit" in VIEWS[role])


def test_names_are_text_here_too(
    scene: Stage, page: Page, driven: Driven, make_file: MakeFile, admin: str
) -> None:
    """An operator's page is where markup in a name would do most harm."""
    ids = []
    for name in HOSTILE_NAMES:
        driven.begin(make_file(50, name))
        ids.append(driven.result()["uploadId"])

    ops = OpsPage.open(page, scene, admin, "?view=uploads")
    shown = page.locator("table th[scope=row] bdi")
    expect(shown.filter(has_text=HOSTILE_NAMES[-1]).first).to_be_visible()
    names = shown.all_inner_texts()
    for name, upload_id in zip(HOSTILE_NAMES, ids, strict=True):
        page.goto(f"{scene.installation.url}/ops?upload={quote(upload_id)}")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)

    assert set(HOSTILE_NAMES) <= set(names)
    assert page.locator("img").count() == 0
    assert ops.complaints == []


def test_a_job_is_cancelled_and_run_again(
    scene: Stage, page: Page, driven: Driven, tmp_path: Path, admin: str
) -> None:
    """The two things that an operator can do about a job, from the page."""
    path = tmp_path / "rows.csv"
    path.write_text("id\n1\n2\n", encoding="utf-8")
    job = "Describe the data"

    with frozen(scene.installation.worker.pid):
        driven.begin(path)
        upload_id = driven.result()["uploadId"]
        OpsPage.open(page, scene, admin, f"?upload={upload_id}")
        page.get_by_role("button", name=f"Cancel: {job}").click()
        page.get_by_role("button", name="Cancel the job").click()
        again = page.get_by_role("button", name=f"Run again: {job}")
        expect(again).to_be_visible()
        before = [each["status"] for each in jobs_of(scene, upload_id)]
        again.click()
        expect(again).to_be_hidden()
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=PATIENCE_MS)

    assert before == ["cancelled"]
    assert [each["status"] for each in jobs_of(scene, upload_id)] == ["succeeded"]


def jobs_of(scene: Stage, upload_id: str) -> list[dict[str, str]]:
    """Read an upload's jobs."""
    found: list[dict[str, str]] = scene.ask(f"/api/uploads/{upload_id}/jobs")["jobs"]
    return found
