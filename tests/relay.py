"""A TCP relay before a server: it can be slow or silent, cut its connections, refuse new ones."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

_WAITING_BYTES: Final = 262_144


class Relay:
    """Passes bytes on, until told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.is_refusing = False
        self.bytes_a_second = 0  # of all connections together; 0: as fast as it goes
        self._free_at = 0.0
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
                await self._take_time(len(data))
                sink.write(data)
                await sink.drain()
        sink.close()

    async def _take_time(self, size: int) -> None:
        """Wait as long as a line of this speed has to do with what was sent before, and this."""
        if self.bytes_a_second:
            now = asyncio.get_running_loop().time()
            self._free_at = max(self._free_at, now) + size / self.bytes_a_second
            await asyncio.sleep(self._free_at - now)


@asynccontextmanager
async def relaying(host: str, port: int) -> AsyncGenerator[Relay]:
    """Listen on a free port until the block ends."""
    relay = Relay(host, port)
    listener = socket.create_server(("127.0.0.1", 0))
    # Little may wait on the way: who sends must feel at once that the line is slow.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WAITING_BYTES)
    server = await asyncio.start_server(relay.serve, sock=listener)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.thaw()
        relay.cut()
