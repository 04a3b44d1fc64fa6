"""The track of a race: servers, both signers, proxies where time is added, and Chromium."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from playwright.sync_api import Browser, sync_playwright

from coordinator.embedded import running
from tests.browser.backend import backend
from tests.browser.bench.companion import companion
from tests.browser.bench.latency import late
from tests.browser.chromium import bundle, launched, node_modules
from tests.browser.stage import service_of
from tests.faults.installation import Installation

_PATIENCE_MS: Final = 600_000
_SETTLE_S: Final = 1.0
_PAGES: Final = Path(__file__).parents[1] / "pages"


class Conditions(msgspec.Struct, frozen=True):
    """What is added to every request, and the time that ours may need of Uppy's."""

    name: str
    delay_s: float
    time_at_most: float


class Lap(msgspec.Struct, frozen=True):
    """One upload: ``calls`` went to coordinator or Companion, ``signing`` of them for part URLs."""

    seconds: float
    calls: int
    signing: int
    memory_mib: float


class Track:
    """Everything is running; each lap has a Chromium of its own."""

    def __init__(
        self, conditions: Conditions, playwright: Any, origin: str, signers: dict[str, str]
    ) -> None:
        self.conditions = conditions
        self.about: dict[str, str] = {}
        self._playwright = playwright
        self._origin = origin
        self._signers = signers

    def run(self, side: str, path: Path) -> Lap:
        """Upload the file by one side."""
        time.sleep(_SETTLE_S)
        with launched(self._playwright) as browser:
            self.about["chromium"] = f"Chromium {browser.version}"
            return self._lap(browser, side, path)

    def _lap(self, browser: Browser, side: str, path: Path) -> Lap:
        page = browser.new_page()
        signer = self._signers[side]
        calls: list[str] = []
        page.on("request", lambda request: calls.append(f"{request.method} {request.url}"))
        query = urlencode({"side": side, "endpoint": signer})
        page.goto(f"{self._origin}/pages/race.html?{query}")
        page.wait_for_function("document.title === 'ready'", timeout=_PATIENCE_MS)
        page.set_input_files("#files", path)
        before = _peak_mib(browser)
        page.set_default_timeout(_PATIENCE_MS)
        milliseconds = page.evaluate("race()")
        to_signer = [call for call in calls if signer in call]
        # The page's own backend opens ours by one call more, out of the browser's sight.
        opened = sum("/session" in call for call in calls)
        signing = sum(
            "/api/upload/urls" in call or ("/s3/multipart/" in call and "/complete" not in call)
            for call in to_signer
        )
        return Lap(
            milliseconds / 1_000, len(to_signer) + opened, signing, _peak_mib(browser) - before
        )


def _peak_mib(browser: Browser) -> float:
    """Return the most that the tab's process has ever had resident, by the kernel's own account."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    renderers = [each for each in processes if each["type"] == "renderer"]
    busiest = max(renderers, key=lambda each: each["cpuTime"])
    status = Path(f"/proc/{busiest['id']}/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1_024


@contextmanager
def track(folder: Path, conditions: Conditions) -> Iterator[Track]:
    """Start everything, until the block ends."""
    builds = folder / "builds"
    bundle(_PAGES / "uppy-aws-s3.entry.js", builds / "uppy-aws-s3.js")
    with ExitStack() as stack:

        def distant(address: str) -> str:
            if not conditions.delay_s:
                return address
            return stack.enter_context(late(address, conditions.delay_s))

        page = stack.enter_context(backend(builds))
        origin = distant(page.address)
        servers = stack.enter_context(running(folder / "home"))
        s3 = distant(servers.addresses.s3_endpoint)
        changes = {"COORDINATOR_S3_PUBLIC_ENDPOINT": s3, "COORDINATOR_CORS_ORIGINS": origin}
        installation = Installation(servers, folder, changes)
        stack.callback(installation.end)
        installation.start()
        page.service = service_of(installation, installation.service)
        theirs = stack.enter_context(companion(servers.addresses, folder, s3=s3, origins=origin))
        signers = {"ours": distant(installation.url), "uppy": distant(theirs)}
        playwright = stack.enter_context(sync_playwright())
        made = Track(conditions, playwright, origin, signers)
        package = node_modules() / "@uppy" / "core" / "package.json"
        made.about["uppy"] = json.loads(package.read_text(encoding="utf-8"))["version"]
        yield made
