"""Uploads that are interrupted: by the person, the browser, the network, the service."""

import time
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from tests.browser.conftest import MakeFile
from tests.browser.driving import Driven, never_falls
from tests.browser.stage import Stage
from tests.builders import MIB, SMALLEST
from tests.faults.hostile_s3 import PART

CHUNKS: Final = 8
SIZE: Final = CHUNKS * SMALLEST
SLOW: Final = 8 * MIB  # a second: an upload takes five, and can be interrupted


@pytest.fixture
def path(scene: Stage, make_file: MakeFile) -> Path:
    """A file of eight chunks, on a line that is slow."""
    scene.page.chunk_bytes = SMALLEST
    scene.line.slow_to(SLOW)
    return make_file(SIZE)


def begun(driven: Driven, path: Path) -> str:
    """Upload until some chunks are there and some are not; return the upload."""
    driven.begin(path)
    report = driven.until("it.progress.chunks.uploaded >= 2")
    assert report["progress"]["chunks"]["uploaded"] < CHUNKS
    upload_id: str = report["progress"]["uploadId"]
    return upload_id


def test_a_pause_sends_nothing_and_resuming_sends_the_rest(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """Whoever pauses wants the line for something else; and loses nothing by it."""
    upload_id = begun(driven, path)

    driven.call("pause")
    driven.until("it.state === 'paused'")
    before = (scene.await_quiet(), driven.report["progress"]["uploadedBytes"])
    time.sleep(1.5)
    paused = (scene.s3.count(PART), driven.report["progress"]["uploadedBytes"])
    known, stored = arrived(driven.report), len(scene.stored)
    driven.call("resume")
    result = driven.result()

    assert paused == before
    assert result["uploadId"] == upload_id
    assert scene.holds(upload_id, path)
    assert known.isdisjoint(scene.stored[stored:])
    assert never_falls(driven.report["uploaded"])


def arrived(report: dict[str, Any]) -> set[int]:
    """Return the numbers of the parts of which the page knows that S3 has them."""
    chunks = report["chunks"]
    return {each["chunkIndex"] + 1 for each in chunks if each["state"] == "uploaded"}


def test_after_a_reload_only_what_is_missing_is_sent(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """The page remembers the upload, and asks for the file that it cannot keep."""
    upload_id = begun(driven, path)

    driven.load()
    scene.await_quiet()
    there = set(scene.stored)
    remembered = driven.page.evaluate("lab.remembered()")
    driven.begin(path, resume=True)
    result = driven.result()

    assert [entry["uploadId"] for entry in remembered] == [upload_id]
    assert (remembered[0]["fileName"], remembered[0]["fileSize"]) == (path.name, SIZE)
    assert result["uploadId"] == upload_id
    assert scene.holds(upload_id, path)
    assert there.isdisjoint(scene.stored[len(there) :])
    assert driven.page.evaluate("lab.remembered()") == []


def test_a_killed_tab_loses_nothing(
    scene: Stage, context: BrowserContext, driven: Driven, path: Path
) -> None:
    """A crash runs no handler; what is needed must have been written before."""
    upload_id = begun(driven, path)

    with pytest.raises(Error):
        driven.page.goto("chrome://crash")
    again = Driven.open(context.new_page(), scene)
    scene.await_quiet()
    there = set(scene.stored)
    again.begin(path, resume=True)
    result = again.result()

    assert result["uploadId"] == upload_id
    assert scene.holds(upload_id, path)
    assert there.isdisjoint(scene.stored[len(there) :])


def test_a_browser_that_remembers_nothing_finds_the_upload_by_the_service(
    scene: Stage, driven: Driven, path: Path, page: Page
) -> None:
    """Browsers forget; starting the same file again is resuming it."""
    upload_id = begun(driven, path)
    browser = page.context.browser
    assert browser is not None

    page.close()
    scene.await_quiet()
    there = set(scene.stored)
    fresh = browser.new_context()
    again = Driven.open(fresh.new_page(), scene)
    again.begin(path)
    result = again.result()
    fresh.close()

    assert result["uploadId"] == upload_id
    assert scene.holds(upload_id, path)
    assert there.isdisjoint(scene.stored[len(there) :])


def test_another_file_of_the_same_name_and_size_is_refused_and_nothing_is_sent(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """Half of one file and half of another is the worst outcome of all."""
    upload_id = begun(driven, path)
    driven.load()
    sent, known = scene.await_quiet(), scene.status(upload_id)
    path.write_bytes(path.read_bytes()[::-1])

    driven.begin(path, resume=True)
    error = driven.error()

    assert (error["isOurs"], error["code"]) == (True, "another-file")
    assert error["advice"]
    assert scene.s3.count(PART) == sent
    assert scene.status(upload_id)["missingChunks"] == known["missingChunks"]
    assert scene.status(upload_id)["status"] == "UPLOADING"


def test_two_tabs_with_the_same_file_make_one_upload(
    scene: Stage, context: BrowserContext, driven: Driven, path: Path
) -> None:
    """People open a second tab when the first seems slow."""
    upload_id = begun(driven, path)

    other = Driven.open(context.new_page(), scene)
    other.begin(path)
    results = [driven.result(), other.result()]

    assert [result["uploadId"] for result in results] == [upload_id, upload_id]
    assert scene.holds(upload_id, path)
    assert driven.faults + other.faults == []


def test_a_service_that_is_killed_and_comes_back_is_waited_for(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """The chunks go to S3 meanwhile; signing, reporting and completing wait."""
    upload_id = begun(driven, path)

    scene.installation.service.kill()
    time.sleep(2.0)
    scene.installation.service.start()
    result = driven.result()

    assert result["uploadId"] == upload_id
    assert scene.holds(upload_id, path)
    assert never_falls(driven.report["uploaded"])


def test_a_token_that_ends_is_asked_for_again(scene: Stage, driven: Driven, path: Path) -> None:
    """Uploads of days outlive every token; the page's backend gives a new one."""
    scene.page.first_token_seconds = 3

    driven.begin(path)
    result = driven.result()

    renewals = [asked for asked in scene.page.asked if asked.get("uploadId")]
    assert scene.holds(result["uploadId"], path)
    assert [(asked["uploadId"], asked["reason"]) for asked in renewals] == [
        (result["uploadId"], "token-ended")
    ]


def test_a_file_that_changes_while_it_is_sent_is_never_completed(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """What would be completed is a file that never existed."""
    upload_id = begun(driven, path)

    with path.open("r+b") as file:
        file.seek(SIZE - SMALLEST)
        file.write(b"changed" * 1_000)
    error = driven.error()

    assert error["isOurs"]
    assert error["code"] in {"file-changed", "file-unreadable"}
    assert error["advice"]
    assert scene.status(upload_id)["status"] == "UPLOADING"
