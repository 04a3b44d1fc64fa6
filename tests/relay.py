"""A TCP relay before a server: it can cut its connections, refuse new ones, or fall silent."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Relay:
    """Passes bytes on, until told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.is_refusing = False
        self.connections = 0  # that there have ever been
        self.port = 0

    def cut(self) -> None:
        """Reset all connections, as a crash does."""
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Pass nothing on, and keep the connections."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on again, what has come meanwhile too."""
        self._flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        self.connections += 1
        if self.is_refusing:
            writer.transport.abort()
            return
        back, onward = await asyncio.open_connection(*self._target)
        both = {writer, onward}
        self._writers |= both
        try:
            await asyncio.gather(self._pump(reader, onward), self._pump(back, writer))
        finally:
            self._writers -= both
            for each in both:
                each.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                await self._flowing.wait()
                sink.write(data)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def relaying(host: str, port: int) -> AsyncGenerator[Relay]:
    """Listen on a free port until the block ends."""
    relay = Relay(host, port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.thaw()
        relay.cut()
