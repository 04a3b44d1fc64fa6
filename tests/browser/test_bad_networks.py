"""Networks that are slow, break, lie, or are away; and URLs that are too old when they arrive."""

import threading
import time
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import MakeFile
from tests.browser.driving import Driven, never_falls
from tests.browser.stage import Stage, altered, service_of
from tests.builders import MIB, SMALLEST
from tests.faults import harms
from tests.faults.hostile_s3 import PART

CHUNKS: Final = 8
SIZE: Final = CHUNKS * SMALLEST
AWAY_S: Final = 10.0


@pytest.fixture
def path(scene: Stage, make_file: MakeFile) -> Path:
    """A file of eight chunks."""
    scene.page.chunk_bytes = SMALLEST
    return make_file(SIZE)


def test_ten_seconds_offline_are_waited_out(
    scene: Stage, context: BrowserContext, driven: Driven, path: Path
) -> None:
    """A train goes through a tunnel; nobody should have to press anything."""
    scene.line.slow_to(8 * MIB)
    driven.begin(path)
    driven.until("it.progress.chunks.uploaded >= 2")

    context.set_offline(offline=True)
    scene.line.take_away()
    driven.until("it.state === 'offline'")
    time.sleep(1.0)
    sent = scene.s3.count(PART)
    time.sleep(AWAY_S)
    sent_meanwhile = scene.s3.count(PART) - sent
    scene.line.heal()
    context.set_offline(offline=False)
    result = driven.result()

    assert sent_meanwhile == 0
    assert scene.holds(result["uploadId"], path)
    assert never_falls(driven.report["uploaded"])
    assert "uploading" in driven.report["states"][driven.report["states"].index("offline") :]


def test_a_slow_line_shows_true_speed_and_progress(
    scene: Stage, driven: Driven, make_file: MakeFile
) -> None:
    """Progress that jumps from 0 to 100 is none, and a wrong speed makes people close the tab."""
    scene.page.chunk_bytes = SMALLEST
    path = make_file(2 * CHUNKS * SMALLEST)
    scene.line.slow_to(4 * MIB)

    driven.begin(path)
    # What buffers of the system take at the start is by then more than ten seconds ago.
    late = driven.until("it.progress.uploadedBytes > it.progress.totalBytes * 0.85")["progress"]
    result = driven.result()

    report = driven.report
    assert scene.holds(result["uploadId"], path)
    assert len(set(report["uploaded"])) > CHUNKS
    assert never_falls(report["uploaded"])
    assert 2 * MIB < late["bytesPerSecond"] < 8 * MIB
    assert 0 < late["secondsLeft"] < 15
    assert scene.s3.statuses(PART) == [200] * (2 * CHUNKS)


def test_a_failing_network_costs_repeats_and_nothing_else(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """Resets before and after S3 had the part, errors of S3, a cable that is pulled."""
    scene.line.slow_to(16 * MIB)
    for nth, harm in enumerate(
        [
            harms.reset(commit=False),
            harms.error(503, "SlowDown"),
            harms.reset(commit=True),
            harms.error(500, "InternalError", commit=True),
        ],
        start=2,
    ):
        scene.s3.harm(PART, harm, nth=nth)

    driven.begin(path)
    driven.until("it.progress.chunks.uploaded >= 4")
    scene.line.cut()
    result = driven.result()

    report = driven.report
    assert scene.holds(result["uploadId"], path)
    assert never_falls(report["uploaded"])
    assert scene.s3.count(PART) >= CHUNKS + 4
    assert {warning["code"] for warning in report["warnings"]} <= {"network", "s3-refused"}
    assert report["warnings"]


def test_a_url_that_expires_on_the_way_is_asked_for_again(
    scene: Stage, page: Page, path: Path
) -> None:
    """S3 itself refuses it for its age; the page must not take that for an end."""
    lasting = 3
    short = scene.installation.one_more_service(COORDINATOR_URL_LIFETIME_SECONDS=str(lasting))
    scene.page.service = service_of(scene.installation, short)
    arrives = threading.Event()
    scene.s3.harm(PART, harms.held(arrives), nth=1)
    scene.s3.harm(PART, harms.held(arrives), nth=2)
    driven = Driven.open(page, scene, endpoint=short.url)

    driven.begin(path)
    scene.s3.await_count(PART, 2)
    time.sleep(lasting + 1)
    arrives.set()
    result = driven.result()
    short.stop()

    assert scene.holds(result["uploadId"], path)
    assert 403 in scene.s3.statuses(PART)
    assert scene.s3.statuses(PART).count(200) == CHUNKS


def test_bytes_that_are_altered_on_the_way_are_refused_sent_again_and_told(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """A proxy that changes bytes is found by S3, because the page signed what it has read."""
    scene.s3.harm(PART, altered, nth=3)

    driven.begin(path)
    result = driven.result()

    statuses = scene.s3.statuses(PART)
    assert (statuses.count(400), statuses.count(200)) == (1, CHUNKS)
    assert scene.holds(result["uploadId"], path)
    assert [warning["code"] for warning in driven.report["warnings"]] == ["altered-on-the-way"]


def test_a_line_that_stops_moving_is_noticed(scene: Stage, driven: Driven, path: Path) -> None:
    """Some networks drop packets without a word; a request would wait for ever."""
    scene.line.slow_to(8 * MIB)

    driven.begin(path, stallSeconds=3)
    driven.until("it.progress.chunks.uploaded >= 2")
    scene.line.freeze()
    driven.until("it.warnings.length > 0")
    scene.line.cut()
    scene.line.heal()
    result = driven.result()

    assert scene.holds(result["uploadId"], path)
    assert driven.report["warnings"][0]["code"] == "stalled"
    assert never_falls(driven.report["uploaded"])


def test_an_answer_that_never_comes_is_not_waited_for(
    scene: Stage, driven: Driven, path: Path
) -> None:
    """S3 has the part, or not: sending it again is right either way."""
    scene.s3.harm(PART, harms.silence(commit=True), nth=2)

    driven.begin(path, stallSeconds=2)
    result = driven.result()

    assert scene.holds(result["uploadId"], path)
    assert scene.s3.count(PART) == CHUNKS + 1
    assert [warning["code"] for warning in driven.report["warnings"]] == ["stalled"]
