"""Counts round trips on the wire: a TCP proxy that stands before a server.

A round trip begins where a client sends after the server has had its say. What is sent at once, a
pipeline or a long message in pieces, counts once, as the network counts it.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

_PIECE_BYTES: Final = 1 << 16
_PATIENCE_S: Final = 10.0


class Counter:
    """A server's address with a count of the round trips that went through it."""

    def __init__(self, url: str) -> None:
        self._behind = urlsplit(url)
        self.port = 0
        self.round_trips = 0

    @property
    def url(self) -> str:
        """The server's address with the proxy's port in it."""
        before, _, _ = self._behind.netloc.rpartition(":")
        return self._behind._replace(netloc=f"{before}:{self.port}").geturl()

    async def listen(self) -> asyncio.Server:
        """Start on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(
            self._behind.hostname, self._behind.port or 80
        )
        is_asking = False

        async def forward(
            source: asyncio.StreamReader, target: asyncio.StreamWriter, *, asks: bool
        ) -> None:
            nonlocal is_asking
            while piece := await source.read(_PIECE_BYTES):
                self.round_trips += asks and not is_asking
                is_asking = asks
                target.write(piece)
                await target.drain()
            target.close()

        with suppress(ConnectionError):
            await asyncio.gather(
                forward(client, to_server, asks=True), forward(server, to_client, asks=False)
            )


@contextmanager
def counting(*urls: str) -> Iterator[list[Counter]]:
    """Stand before each of these addresses until the block ends."""
    counters = [Counter(url) for url in urls]
    started: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        servers = [await counter.listen() for counter in counters]
        started.set_result(lambda: loop.call_soon_threadsafe(over.set))
        await over.wait()
        for server in servers:
            server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    end = started.result(_PATIENCE_S)
    try:
        yield counters
    finally:
        end()
        thread.join(_PATIENCE_S)
