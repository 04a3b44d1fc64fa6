"""The upload page, as a person uses it."""

import gzip
import json
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.browser.conftest import MakeFile
from tests.browser.own_pages import UploadPage
from tests.browser.stage import Stage, altered, refusing
from tests.browser.test_many_files import HOSTILE_NAMES
from tests.builders import MIB
from tests.faults.hostile_s3 import PART

CHUNK: Final = 8 * MIB  # the service's own choice
SLOW: Final = 8 * MIB
MAX_PAYLOAD: Final = 150_000


@pytest.fixture
def opened(scene: Stage, page: Page) -> UploadPage:
    """The page, opened by a link with a key, as `make run` prints it."""
    return UploadPage.open(page, scene, key=scene.installation.key)


def rows_of_csv(path: Path, count: int) -> Path:
    """Write something that jobs can read."""
    lines = ["id,text", *(f"{number},row {number}" for number in range(count))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_file_becomes_a_proven_object_with_its_jobs_done(
    scene: Stage, opened: UploadPage, tmp_path: Path
) -> None:
    """The whole way, on the page alone; what it says at the end is what the service says."""
    path = rows_of_csv(tmp_path / "rows.csv", 100_000)

    opened.choose(path)
    row = opened.await_state("rows.csv", "completed")

    upload_id = scene.uploads()["rows.csv"]
    root = scene.ask(f"/api/uploads/{upload_id}/manifest")["root"]
    assert scene.holds(upload_id, path)
    expect(row.get_by_text(root, exact=True)).to_be_visible()
    expect(row.get_by_text("Jobs done")).to_be_visible(timeout=60_000)
    jobs = scene.ask(f"/api/uploads/{upload_id}/jobs")["jobs"]
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert opened.complaints == []
    assert opened.strangers() == []


def test_the_key_is_gone_from_the_address_at_once(scene: Stage, opened: UploadPage) -> None:
    """What stands there gets into histories, bookmarks and screenshots; a reload still works."""
    expect(opened.page.get_by_role("heading", level=1)).to_be_visible()

    address = opened.page.url
    opened.page.reload()

    assert address == f"{scene.installation.url}/"
    expect(opened.page.get_by_role("heading", level=1)).to_be_visible()
    assert scene.installation.key not in opened.page.content()


def test_a_link_to_one_upload_needs_no_key(scene: Stage, page: Page, make_file: MakeFile) -> None:
    """Whoever is sent such a link can send this file, and see nothing else."""
    path = make_file(3 * CHUNK, "asked for.bin")
    body = {"fileName": path.name, "fileSize": 3 * CHUNK, "fileType": "", "uploadToken": True}
    answer = scene.post("/api/upload/init", body)

    opened = UploadPage.open(page, scene, upload=answer["uploadId"], token=answer["uploadToken"])
    opened.choose(path)
    opened.await_state(path.name, "completed")

    assert scene.holds(answer["uploadId"], path)
    assert "ut_" not in page.url
    expect(page.get_by_role("link", name="Operations")).to_be_hidden()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_shown_as_text(
    scene: Stage, opened: UploadPage, make_file: MakeFile, name: str
) -> None:
    """Markup in a name is letters; nothing of it becomes part of the page."""
    path = make_file(1_000, name)

    opened.choose(path)
    row = opened.await_state(name, "completed")

    assert row.locator("h3").inner_text() == name
    assert row.locator("h3 bdi *").count() == 0
    assert opened.page.locator("img, li.upload b").count() == 0
    assert "owned" not in opened.page.title()
    assert opened.complaints == []
    assert scene.holds(scene.uploads()[name], path)


def test_everything_can_be_done_by_keyboard(
    scene: Stage, opened: UploadPage, make_file: MakeFile
) -> None:
    """The buttons are reached by Tab, say what they do to what, and work by Space and Enter."""
    scene.line.slow_to(SLOW)
    path = make_file(6 * CHUNK, "keys.bin")
    opened.choose(path)
    opened.await_state("keys.bin", "uploading")

    reach(opened.page, "Pause: keys.bin")
    opened.page.keyboard.press("Space")
    opened.await_state("keys.bin", "paused")
    assert focused(opened.page) == "Resume: keys.bin"
    opened.page.keyboard.press("Enter")
    opened.await_state("keys.bin", "completed")

    assert scene.holds(scene.uploads()["keys.bin"], path)


def focused(page: Page) -> str:
    """Return what the element with the focus is called."""
    script = "() => (document.activeElement.ariaLabel ?? document.activeElement.innerText).trim()"
    name: str = page.evaluate(script)
    return name


def reach(page: Page, name: str) -> None:
    """Press Tab until the focus is there."""
    page.locator("body").press("Tab")
    seen = [focused(page)]
    while seen[-1] != name:
        assert len(seen) < 60, seen
        page.keyboard.press("Tab")
        seen.append(focused(page))


def reload_in_the_middle(scene: Stage, opened: UploadPage, path: Path) -> int:
    """Send half of the file, load the page anew, and return how many parts have come."""
    scene.line.slow_to(SLOW)
    opened.choose(path)
    opened.await_state(path.name, "uploading")
    scene.s3.await_count(PART, 4)
    opened.page.reload()
    return scene.await_quiet()


def test_after_a_reload_the_page_offers_to_go_on(
    scene: Stage, opened: UploadPage, make_file: MakeFile
) -> None:
    """It names what is unfinished; the same file goes on, and only what is missing is sent."""
    path = make_file(8 * CHUNK, "unfinished.bin")
    reload_in_the_middle(scene, opened, path)
    there = set(scene.stored)
    offered = opened.page.get_by_role("heading", name="Not finished yet")
    expect(offered).to_be_visible()
    opened.choose(path)
    opened.await_state("unfinished.bin", "completed")

    assert scene.holds(scene.uploads()["unfinished.bin"], path)
    assert there.isdisjoint(scene.stored[len(there) :])
    expect(offered).to_be_hidden()


def test_another_file_is_refused_in_plain_words(
    scene: Stage, opened: UploadPage, make_file: MakeFile
) -> None:
    """The person is told what is wrong and what to do; S3 gets nothing of it."""
    path = make_file(8 * CHUNK, "mine.bin")
    sent = reload_in_the_middle(scene, opened, path)
    path.write_bytes(path.read_bytes()[::-1])

    opened.choose_by("Choose the file: mine.bin", path)
    row = opened.await_state("mine.bin", "failed")

    expect(row.get_by_text("This is another file")).to_be_visible()
    expect(row.get_by_role("button", name="Choose the file again: mine.bin")).to_be_visible()
    assert scene.s3.count(PART) == sent
    assert scene.status(scene.uploads()["mine.bin"])["status"] == "UPLOADING"


def test_a_dropped_folder_is_taken_whole(
    scene: Stage, context: BrowserContext, opened: UploadPage, make_file: MakeFile
) -> None:
    """Real directory entries, as only a real drop brings them, with folders in folders."""
    paths = [make_file(2_000 + n, f"{n:02}.bin", f"album/disc {n % 3}") for n in range(30)]
    expect(opened.page.locator(".dropzone")).to_be_visible()

    drop(context.new_cdp_session(opened.page), opened.page, paths[0].parents[1])
    expect(opened.page.locator("li.upload[data-state=completed]")).to_have_count(30)

    by_name = {path.name: path for path in paths}
    ids = scene.uploads()
    assert all(scene.holds(ids[name], path) for name, path in by_name.items())
    expect(opened.page.get_by_text("album/disc 1/").first).to_be_visible()


def drop(session: CDPSession, page: Page, path: Path) -> None:
    """Drop a file or folder of the disk onto the page, as a person with a mouse does."""
    box = page.locator(".dropzone").bounding_box()
    assert box is not None
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data, **where})


def test_a_refusal_says_what_to_do_and_retrying_works(
    scene: Stage, opened: UploadPage, make_file: MakeFile
) -> None:
    """Not a status code, but a sentence; and a button."""
    path = make_file(2 * CHUNK, "refused.bin")
    scene.s3.harm(PART, refusing(400, "InvalidRequest"), nth=None)

    opened.choose(path)
    row = opened.await_state("refused.bin", "failed")
    expect(row.get_by_text("S3 refused a chunk", exact=True)).to_be_visible()
    scene.s3.heal()
    opened.press("Try again: refused.bin")
    opened.await_state("refused.bin", "completed")

    assert scene.holds(scene.uploads()["refused.bin"], path)


def test_bytes_that_were_changed_on_the_way_are_told(
    scene: Stage, opened: UploadPage, make_file: MakeFile
) -> None:
    """All is well in the end, and yet somebody should look for what changes bytes."""
    path = make_file(3 * CHUNK, "altered.bin")
    scene.s3.harm(PART, altered, nth=2)

    opened.choose(path)
    row = opened.await_state("altered.bin", "completed")

    expect(row.get_by_text("Bytes are being changed on the way")).to_be_visible()
    assert scene.s3.statuses(PART).count(400) == 1
    assert scene.holds(scene.uploads()["altered.bin"], path)


@pytest.mark.parametrize("path", ["/", "/ops"])
def test_a_page_is_small_and_strict(scene: Stage, page: Page, path: str) -> None:
    """All that it loads, packed; and a policy that runs nothing but its own files."""
    bodies: list[bytes] = []
    page.on("response", lambda response: bodies.append(response.body()))

    answer = page.goto(f"{scene.installation.url}{path}", wait_until="networkidle")

    assert answer is not None
    policy = answer.header_value("content-security-policy") or ""
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert len(bodies) > 3
    assert sum(len(gzip.compress(body)) for body in bodies) < MAX_PAYLOAD


def test_purpose_and_schema_reach_the_service(
    scene: Stage, opened: UploadPage, tmp_path: Path
) -> None:
    """What is chosen on the page decides which jobs run."""
    schema = {"type": "object", "required": ["id", "text"]}
    path = rows_of_csv(tmp_path / "wanted.csv", 500)

    opened.page.get_by_text("Training", exact=True).click()
    opened.page.get_by_label("Schema of the rows").select_option("given")
    opened.page.get_by_label("JSON Schema", exact=True).fill(json.dumps(schema))
    opened.choose(path)
    row = opened.await_state("wanted.csv", "completed")
    expect(row.get_by_text("Jobs done")).to_be_visible(timeout=90_000)

    status = scene.status(scene.uploads()["wanted.csv"])
    assert status["metadata"] == {"purpose": "training", "schema": schema}
    assert {job["kind"] for job in status["aiPipeline"]["jobs"]} >= {"validate_schema", "scan_pii"}
