"""Machines that watch a service all the time: how late, and what, it answers them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec

_PAUSE_S: Final = 0.2
_PATHS: Final = ("/healthz", "/readyz", "/metrics")


class Seen(msgspec.Struct, frozen=True):
    """One answer."""

    at: float
    path: str
    seconds: float
    status: int
    body: str


class Watch:
    """Everything that a service has answered to those who watch it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self.seen: list[Seen] = []

    def ask(self, path: str) -> None:
        """Ask again and again, on a connection of its own."""
        with httpx.Client(base_url=self._url, timeout=20.0) as client:
            while not self._over.is_set():
                at = time.monotonic()
                answer = client.get(path)
                seconds = time.monotonic() - at
                self.seen.append(Seen(at, path, seconds, answer.status_code, answer.text))
                time.sleep(_PAUSE_S)

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()

    def seen_last(self, path: str) -> str:
        """Return the last answer's body."""
        return next(each.body for each in reversed(self.seen) if each.path == path)

    def slowest(self, path: str) -> float:
        """Return the longest wait for an answer."""
        return max(each.seconds for each in self.seen if each.path == path)

    def told(self, path: str, *, since: float, until: float) -> set[int]:
        """Return the statuses of requests sent and answered in this time."""
        return {
            each.status
            for each in self.seen
            if each.path == path and each.at >= since and each.at + each.seconds <= until
        }


@contextmanager
def watched(url: str) -> Iterator[Watch]:
    """Watch a service until the block ends."""
    watch = Watch(url)
    threads = [threading.Thread(target=watch.ask, args=[path]) for path in _PATHS]
    for thread in threads:
        thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        for thread in threads:
            thread.join()


def connections(pid: int, port: int) -> int:
    """Count the connections that a process holds to a port of this machine."""
    held = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    count = 0
    for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        count += int(words[2].partition(":")[2], 16) == port and f"socket:[{words[9]}]" in held
    return count


def until(condition: Callable[[], bool], *, within_s: float) -> float:
    """Wait for a condition, and return how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, f"not within {within_s} s"
        time.sleep(0.1)
    return time.monotonic() - started
