"""`coordinator dev` as somebody meets it who wants to see the page: a terminal, and a link."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from coordinator.env_files import read_env_file

_PATIENCE_S: Final = 120.0
_LAST: Final = b"Ctrl-C"
_OTHER: Final = "https://other.example"


def _environ(home: Path) -> dict[str, str]:
    own = ("COORDINATOR_", "AWS_", "OTEL_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**environ, "COORDINATOR_HOME": str(home)}


def _read(descriptor: int) -> str:
    """Read what is printed until everything runs."""
    text, deadline = b"", time.monotonic() + _PATIENCE_S
    while _LAST not in text:
        assert time.monotonic() < deadline, f"{len(text)} bytes and no more"
        if select.select([descriptor], [], [], 1.0)[0]:
            more = os.read(descriptor, 4096)
            assert more, re.sub(r"ck_\w+", "ck_…", text.decode())
            text += more
    return text.decode()


class _Dev(NamedTuple):
    printed: str
    settings: dict[str, str]
    page: httpx.Response
    let_in: list[str]  # origins whose pages may send parts to S3


def _run_dev(home: Path, *, on_terminal: bool) -> _Dev:
    """Run it, and return what it printed, and what there was while it ran."""
    reader, writer = pty.openpty() if on_terminal else os.pipe()
    argv = [sys.executable, "-m", "coordinator", "dev"]
    with subprocess.Popen(argv, env=_environ(home), stdout=writer, stderr=writer) as dev:
        os.close(writer)
        try:
            printed = _read(reader)
            settings = read_env_file(home / "run.env")
            page = httpx.get(settings["COORDINATOR_URL"])
            let_in = [origin for origin in _origins(settings) if _lets_in(settings, origin)]
        finally:
            dev.send_signal(signal.SIGINT)
            dev.wait(_PATIENCE_S)
            os.close(reader)
    return _Dev(printed, settings, page, let_in)


def _origins(settings: dict[str, str]) -> list[str]:
    own = settings["COORDINATOR_URL"]
    return [own, own.replace("127.0.0.1", "localhost"), _OTHER]


def _lets_in(settings: dict[str, str], origin: str) -> bool:
    """Ask S3 as a browser does before a page sends a part (Fetch, CORS-preflight fetch)."""
    url = f"{settings['COORDINATOR_S3_ENDPOINT']}/{settings['COORDINATOR_S3_BUCKET']}/any"
    asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    answer = httpx.options(url, headers=asked)
    return answer.headers.get("access-control-allow-origin") in {origin, "*"}


def _addresses(printed: str) -> list[str]:
    return re.findall(r"^page +(\S+)", printed, re.MULTILINE)


def test_the_link_has_the_key_on_a_terminal_and_nowhere_else(home: Path) -> None:
    """In the fragment, which browsers send to nobody. A file, a pipe or a log gets none of it."""
    on_terminal, settings, page, let_in = _run_dev(home, on_terminal=True)
    in_a_pipe, again, *_ = _run_dev(home, on_terminal=False)

    url, key = settings["COORDINATOR_URL"], settings["COORDINATOR_API_KEY"]
    assert _addresses(on_terminal) == [f"{url}/#key={key}"]
    assert _addresses(in_a_pipe) == [f"{again['COORDINATOR_URL']}/"]
    assert "#key=" not in in_a_pipe
    assert page.headers["content-type"].startswith("text/html")
    origin = settings["COORDINATOR_S3_ENDPOINT"]
    assert f"connect-src 'self' {origin}" in page.headers["content-security-policy"]
    assert let_in == [url, url.replace("127.0.0.1", "localhost")]
    logs = [path for path in home.rglob("*") if path.is_file() and path.suffix == ".log"]
    assert logs
    assert [path for path in logs if key.encode() in path.read_bytes()] == []
