"""Folders, and names as people give them."""

from typing import Final

import pytest

from tests.browser.conftest import MakeFile
from tests.browser.driving import Driven, never_falls
from tests.browser.stage import Stage
from tests.builders import MIB
from tests.faults.hostile_s3 import PART

FILES: Final = 200
HOSTILE_NAMES: Final = [
    "🦭 seal 👩‍🔬.txt",
    'it\'s "quoted" & <b>bold<b>.txt',
    "<img src=x onerror=document.title='owned'>.txt",
    "naïve — 日本語 عربى.csv",
    "100% #1 ?query=+.txt",
]


def test_a_folder_of_two_hundred_files_goes_through_one_queue(
    scene: Stage, driven: Driven, make_file: MakeFile
) -> None:
    """Each file has its own upload and state, and costs two calls, not five."""
    paths = [
        make_file(5_000 + number, f"{number:03}.bin", f"photos/day {number % 7}")
        for number in range(FILES - 1)
    ]
    paths.append(make_file(12 * MIB, "film.bin", "photos"))
    folder = paths[-1].parent

    driven.page.set_input_files("#folder", folder)
    added = driven.page.evaluate("lab.beginFolder()")
    found = driven.page.evaluate("lab.folderReport()")

    assert added == FILES
    assert {each["state"] for each in found} == {"completed"}
    assert sorted(each["path"] for each in found) == sorted(
        str(path.relative_to(folder.parent)) for path in paths
    )
    by_path = {str(path.relative_to(folder.parent)): path for path in paths}
    assert all(scene.holds(each["uploadId"], by_path[each["path"]]) for each in found)
    # The film is signed for in two batches. A service that is busy may want to be asked again.
    assert 2 * FILES <= len(driven.calls) <= 2.1 * FILES
    assert {call.partition("?")[0] for call in driven.calls} <= {
        *("POST /api/upload/urls", "POST /api/upload/complete"),
        *(f"GET /api/upload/status/{each['uploadId']}" for each in found),
    }
    assert scene.s3.statuses(PART) == [200] * (FILES + 1)
    assert never_falls(driven.page.evaluate("lab.totals"))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_arrive_as_they_are(
    scene: Stage, driven: Driven, make_file: MakeFile, name: str
) -> None:
    """A name is the user's text; nothing on its way may read anything else in it."""
    path = make_file(1_000, name)

    driven.begin(path)
    result = driven.result()

    assert scene.status(result["uploadId"])["fileName"] == name
    assert scene.holds(result["uploadId"], path)
