"""Our own pages, as the service serves them and as a person finds her way on them."""

import json
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import node_modules
from tests.browser.stage import Stage

PATIENCE_MS: Final = 120_000
# WCAG 2.2 AA is what is promised; best practices are kept, too.
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

_PAINT_ALL: Final = """() => {
  for (const row of document.querySelectorAll("li.upload")) row.style.contentVisibility = "visible";
  window.scrollTo(0, 0);
}"""


class OwnPage:
    """A tab with one of our pages in it, and what its console and network told meanwhile."""

    def __init__(self, page: Page, scene: Stage) -> None:
        self.page = page
        self.scene = scene
        self.complaints: list[str] = []
        self.requests: list[str] = []
        # As in Firefox and Safari: Playwright can choose files in a dialog of theirs.
        page.add_init_script("delete window.showOpenFilePicker")
        page.add_init_script(path=node_modules() / "axe-core" / "axe.min.js")
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def strangers(self) -> list[str]:
        """Name requests that went neither to the service nor to S3."""
        ours = (self.scene.installation.url, self.scene.line.address, "blob:", "data:")
        return [url for url in self.requests if not url.startswith(ours)]

    def violations(self) -> list[str]:
        """Let axe judge what can be seen now; name what it finds, and where.

        Text in the colour of its ground is to axe no violation but a doubt; to people it is one.
        """
        options = {"runOnly": {"type": "tag", "values": _RULES}}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        wrong = [
            *((each, each["nodes"]) for each in found["violations"]),
            *(
                (each, [n for n in each["nodes"] if "equalRatio" in json.dumps(n)])
                for each in found["incomplete"]
            ),
        ]
        return [
            f"{each['id']}: {each['help']}: {[node['html'][:120] for node in nodes[:3]]}"
            for each, nodes in wrong
            if nodes
        ]

    def picture(self, path: Path) -> None:
        """Take a picture of the whole page, from its top, rows below the window included."""
        self.page.evaluate(_PAINT_ALL)
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=path, full_page=True, animations="disabled")

    def overflows(self) -> bool:
        """Say whether the page is wider than the window, so that it has to be pushed around."""
        script = "document.scrollingElement.scrollWidth > window.innerWidth"
        return bool(self.page.evaluate(script))


class UploadPage(OwnPage):
    """The upload page at ``/``."""

    @classmethod
    def open(cls, page: Page, scene: Stage, **credential: str) -> Self:
        """Open it by a link with a credential in it; with none, it asks."""
        opened = cls(page, scene)
        fragment = f"#{urlencode(credential)}" if credential else ""
        page.goto(f"{scene.installation.url}/{fragment}")
        return opened

    def choose(self, *paths: Path) -> None:
        """Choose files; they begin at once."""
        self.page.set_input_files("#files", list(paths))

    def row(self, name: str) -> Locator:
        """Return an upload's row."""
        heading = self.page.get_by_role("heading", name=name, exact=True)
        return self.page.locator("li.upload").filter(has=heading)

    def await_state(self, name: str, state: str) -> Locator:
        """Return the row once it says so."""
        row = self.row(name)
        expect(row).to_have_attribute("data-state", state, timeout=PATIENCE_MS)
        return row

    def choose_by(self, name: str, path: Path) -> None:
        """Press a button that asks for a file, and choose one."""
        with self.page.expect_file_chooser() as asked:
            self.press(name)
        asked.value.set_files(path)

    def press(self, name: str) -> None:
        """Press a button, by what a screen reader calls it."""
        self.page.get_by_role("button", name=name, exact=True).click()


class OpsPage(OwnPage):
    """The operators' page at ``/ops``."""

    @classmethod
    def open(cls, page: Page, scene: Stage, key: str, query: str = "") -> Self:
        """Open a view of it with a key."""
        opened = cls(page, scene)
        page.goto(f"{scene.installation.url}/ops{query}#{urlencode({'key': key})}")
        expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=PATIENCE_MS)
        return opened
