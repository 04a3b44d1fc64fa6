"""How both pages look and what axe finds in them: light, dark, and on a phone.

The pictures are for people: whoever changes a page looks at them before saying that it is done.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from coordinator.domain.access import Role
from tests.browser.conftest import PICTURES, MakeFile
from tests.browser.own_pages import PATIENCE_MS, OpsPage, OwnPage, UploadPage
from tests.browser.stage import Stage, refusing
from tests.builders import MIB
from tests.faults.hostile_s3 import PART

LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}
VIEWS: Final = ["", "?view=uploads", "?view=jobs", "?view=health", "?view=audit"]
NAMES: Final = ["sälze & söhne 🦭.csv", "moving.bin", "paused.bin", "refused.bin"]


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> str:
    """Each look in turn."""
    name: str = request.param
    return name


@pytest.fixture
def person(browser: Browser, look: str) -> Iterator[BrowserContext]:
    """A browser that looks so."""
    context = browser.new_context(**LOOKS[look])
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture(scope="module", autouse=True)
def _no_old_pictures() -> None:
    """What is there at the end is of this run."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES.glob("*.png"):
        picture.unlink()


def judge(shown: OwnPage, name: str) -> list[str]:
    """Take a picture, and return all that is wrong with what it shows."""
    shown.picture(PICTURES / f"{name}.png")
    wrong = [f"{name}: {each}" for each in shown.violations()]
    return [*wrong, f"{name}: wider than the window"] if shown.overflows() else wrong


def test_the_upload_page(
    scene: Stage, person: BrowserContext, look: str, make_file: MakeFile
) -> None:
    """From the question for a key to files in every state."""
    wrong = []
    asking = UploadPage.open(person.new_page(), scene)
    expect(asking.page.get_by_role("dialog")).to_be_visible()
    wrong += judge(asking, f"upload-{look}-1-key")

    opened = UploadPage.open(person.new_page(), scene, key=scene.installation.key)
    expect(opened.page.get_by_role("heading", level=1)).to_be_visible()
    wrong += judge(opened, f"upload-{look}-2-empty")

    in_every_state(scene, opened, make_file, look)
    wrong += judge(opened, f"upload-{look}-3-files")
    assert wrong == []
    assert is_dark(opened) == (LOOKS[look]["color_scheme"] == "dark")


def in_every_state(scene: Stage, opened: UploadPage, make_file: MakeFile, look: str) -> None:
    """Have one file done, one under way, one paused and one refused; their bytes differ by look."""
    table = make_file(0, NAMES[0], look)
    rows = [f"{number},{look} row {number}" for number in range(20_000)]
    table.write_text("\n".join(["id,text", *rows]), encoding="utf-8")
    opened.choose(table)
    opened.await_state(NAMES[0], "completed")
    expect(opened.page.get_by_text("Jobs done")).to_be_visible()
    scene.s3.harm(PART, refusing(400, "InvalidRequest"), nth=1)
    opened.choose(make_file(1 * MIB, NAMES[3], look))
    opened.await_state(NAMES[3], "failed")
    scene.line.slow_to(2 * MIB)
    for name in NAMES[1:3]:
        opened.choose(make_file(64 * MIB, name, look))
        opened.await_state(name, "uploading")
    opened.press(f"Pause: {NAMES[2]}")
    opened.await_state(NAMES[2], "paused")


def is_dark(shown: OwnPage) -> bool:
    """Say whether the ground is darker than the text."""
    script = """() => {
      const parts = (value) => value.match(/[0-9.]+/g).slice(0, 3);
      const brightness = (value) => parts(value).reduce((sum, each) => sum + Number(each), 0);
      const { backgroundColor, color } = getComputedStyle(document.documentElement);
      return brightness(backgroundColor) < brightness(color);
    }"""
    return bool(shown.page.evaluate(script))


@pytest.mark.parametrize("view", VIEWS)
def test_the_operators_page(scene: Stage, person: BrowserContext, look: str, view: str) -> None:
    """Each view, with what the other tests have left to be seen."""
    key = scene.key_for(Role.ADMIN, Role.UPLOADER)
    name = f"ops-{look}-{view.partition('=')[2] or 'overview'}"

    ops = OpsPage.open(person.new_page(), scene, key, view)
    ops.page.wait_for_load_state("networkidle")
    wrong = judge(ops, name)

    assert wrong == []
    assert ops.complaints == []
    assert is_dark(ops) == (LOOKS[look]["color_scheme"] == "dark")


def test_one_upload_on_the_operators_page(
    scene: Stage, person: BrowserContext, look: str, make_file: MakeFile
) -> None:
    """Its chunk map in the middle of its way, its timeline, and what it says when it is over."""
    key = scene.key_for(Role.ADMIN, Role.UPLOADER)
    sender = UploadPage.open(person.new_page(), scene, key=scene.installation.key)
    path: Path = make_file(200 * MIB, f"big {look}.bin")
    scene.line.slow_to(16 * MIB)
    sender.choose(path)
    sender.await_state(path.name, "uploading")
    scene.s3.await_count(PART, 6)
    upload_id = scene.uploads()[path.name]

    ops = OpsPage.open(person.new_page(), scene, key, f"?upload={upload_id}")
    expect(ops.page.get_by_text("of 25 chunks")).to_be_visible()
    wrong = judge(ops, f"ops-{look}-upload-under-way")
    scene.line.heal()
    sender.await_state(path.name, "completed")
    expect(ops.page.get_by_text("All 25 chunks are there and proven.")).to_be_visible()
    wrong += judge(ops, f"ops-{look}-upload-proven")

    assert wrong == []
