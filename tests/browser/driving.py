"""The test's page, driven: what a person does in it, what it has seen, and what it has asked."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Page, Request

from tests.browser.stage import Stage

_PATIENCE_MS: Final = 120_000
_LOOK_MS: Final = 50


class Driven:
    """One tab with the test's page in it."""

    def __init__(self, page: Page, url: str, endpoint: str) -> None:
        self.page = page
        self.calls: list[str] = []
        self.faults: list[str] = []
        self._url = url
        self._endpoint = endpoint
        page.on("request", self._note)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    @classmethod
    def open(cls, page: Page, scene: Stage, *, endpoint: str = "", origin: str = "") -> Self:
        """Open the page, for another ``endpoint``, or with the library of another ``origin``."""
        service = endpoint or scene.installation.url
        query = {"endpoint": service, **({"from": origin} if origin else {})}
        driven = cls(page, f"{scene.page.address}/pages/library.html?{urlencode(query)}", service)
        driven.load()
        return driven

    def load(self) -> None:
        """Load the page, or load it again."""
        self.page.goto(self._url, timeout=_PATIENCE_MS)
        self.page.wait_for_function("document.title === 'ready'", timeout=_PATIENCE_MS)

    def _note(self, request: Request) -> None:
        if request.url.startswith(self._endpoint):
            path = urlsplit(request.url).path
            self.calls.append(f"{request.method} {path}")

    def count(self, call: str) -> int:
        """Count calls of the service by how they begin; preflights are none."""
        return sum(each.startswith(call) for each in self.calls)

    def choose(self, *paths: Path) -> None:
        """Choose files as a person does."""
        self.page.set_input_files("#files", list(paths))

    def begin(self, path: Path, **options: Any) -> None:
        """Choose a file and start."""
        self.choose(path)
        self.page.evaluate("options => lab.begin(options)", options)

    def call(self, name: str) -> None:
        """Pause, resume, cancel."""
        self.page.evaluate("name => void lab.call(name)", name)

    @property
    def report(self) -> dict[str, Any]:
        """What the page has seen so far."""
        found: dict[str, Any] = self.page.evaluate("lab.report()")
        return found

    def until(self, condition: str, *, patience_ms: int = _PATIENCE_MS) -> dict[str, Any]:
        """Return the report once the condition on ``it`` holds."""
        script = f"(() => {{ const it = lab.report(); return {condition}; }})()"
        try:
            self.page.wait_for_function(script, timeout=patience_ms, polling=_LOOK_MS)
        except Exception as exc:
            raise AssertionError(f"never {condition}: {brief(self.report)}") from exc
        return self.report

    def finish(self, *, patience_ms: int = _PATIENCE_MS) -> dict[str, Any]:
        """Return the report once the upload has ended, whatever way."""
        return self.until("it.outcome !== null", patience_ms=patience_ms)

    def result(self, *, patience_ms: int = _PATIENCE_MS) -> dict[str, Any]:
        """Return the result of an upload that must succeed."""
        report = self.finish(patience_ms=patience_ms)
        assert "result" in report["outcome"], brief(report)
        found: dict[str, Any] = report["outcome"]["result"]
        return found

    def error(self, *, patience_ms: int = _PATIENCE_MS) -> dict[str, Any]:
        """Return the error of an upload that must fail."""
        report = self.finish(patience_ms=patience_ms)
        assert "error" in report["outcome"], brief(report)
        found: dict[str, Any] = report["outcome"]["error"]
        return found


def brief(report: dict[str, Any]) -> dict[str, Any]:
    """Return what a person wants to read of a report."""
    names = ("outcome", "state", "states", "progress", "warnings")
    return {name: report[name] for name in names} | {"last chunks": report["chunks"][-5:]}


def never_falls(numbers: list[float]) -> bool:
    """Say whether no number is smaller than the one before."""
    return all(before <= after for before, after in pairwise(numbers))
