"""Files on their way from a real Chromium, by a real service, into a real S3."""

import pytest

from tests.browser.conftest import MakeFile
from tests.browser.driving import Driven, never_falls
from tests.browser.stage import Stage
from tests.builders import MIB
from tests.faults.hostile_s3 import PART


def test_two_hundred_megabytes_arrive_whole(
    scene: Stage, driven: Driven, make_file: MakeFile
) -> None:
    """What S3 holds is what lies on the disk, by a handful of calls, each part sent once."""
    path = make_file(200 * MIB)

    driven.begin(path)
    result = driven.result(patience_ms=120_000)

    report = driven.report
    assert scene.holds(result["uploadId"], path)
    assert scene.s3.statuses(PART) == [200] * 25
    assert driven.count("POST /api/upload/urls") <= 6
    assert driven.count("POST /api/upload/complete") == 1
    assert never_falls(report["uploaded"])
    assert report["progress"]["uploadedBytes"] == 200 * MIB
    assert report["states"][-2:] == ["completing", "completed"]
    assert driven.faults == []


@pytest.mark.parametrize("size", [0, 1, 5 * MIB + 1])
def test_small_files_need_no_call_too_many(
    scene: Stage, driven: Driven, make_file: MakeFile, size: int
) -> None:
    """An empty file is a file; and session, URLs, PUT and complete are enough for any small one."""
    path = make_file(size)

    driven.begin(path)
    result = driven.result()

    assert scene.holds(result["uploadId"], path)
    assert driven.calls == ["POST /api/upload/urls", "POST /api/upload/complete"]
    assert scene.s3.statuses(PART) == [200]
