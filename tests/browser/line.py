"""The line between browser and S3, in a thread of its own: fast, slow, silent, cut, or away."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from tests.relay import Relay, relaying

_PATIENCE_S: Final = 10.0


class Line:
    """A relay that a synchronous test may handle."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        self.address = f"http://127.0.0.1:{relay.port}"

    def slow_to(self, bytes_a_second: int) -> None:
        """Let no more through, of all connections together; 0 lifts it."""
        self._relay.bytes_a_second = bytes_a_second

    def cut(self) -> None:
        """Reset all connections. New ones are let in."""
        self._loop.call_soon_threadsafe(self._relay.cut)

    def take_away(self) -> None:
        """Reset all connections, and refuse new ones, as if there were no network."""
        self._relay.is_refusing = True
        self.cut()

    def freeze(self) -> None:
        """Let nothing through, and keep the connections."""
        self._loop.call_soon_threadsafe(self._relay.freeze)

    def heal(self) -> None:
        """Make it a good line again."""
        self._relay.bytes_a_second = 0
        self._relay.is_refusing = False
        self._loop.call_soon_threadsafe(self._relay.thaw)

    def end(self) -> None:
        """Take it away."""
        self._loop.call_soon_threadsafe(self.ended.set)


@contextmanager
def line_to(address: str) -> Iterator[Line]:
    """Relay a free port to ``address`` until the block ends."""
    target = urlsplit(address)
    made: list[Line] = []
    is_up = threading.Event()

    async def run() -> None:
        async with relaying(target.hostname or "", target.port or 0) as relay:
            made.append(Line(relay))
            is_up.set()
            await made[0].ended.wait()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(asyncio.run, run())
        assert is_up.wait(_PATIENCE_S), "the relay did not start"
        try:
            yield made[0]
        finally:
            made[0].end()
            running.result(_PATIENCE_S)
