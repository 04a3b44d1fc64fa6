"""Clients that speak HTTP byte by byte: slowly, wrongly, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """What came back before the connection ended, or before a whole answer had come."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        """The problem document."""
        return msgspec.json.decode(self.body)


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send these bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def drip(self, data: bytes, *, pause_s: float) -> None:
        """Send byte after byte, until all are sent or nobody takes them any more."""
        for at in range(len(data)):
            try:
                await self.send(data[at : at + 1])
            except ConnectionError:
                return
            await asyncio.sleep(pause_s)

    async def answer(self) -> Answer | None:
        """Read one answer; ``None``: the connection ended without one."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            pairs = (line.split(": ", 1) for line in lines if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return Answer(int(first.split(" ")[1]), headers, body)

    async def ended(self) -> None:
        """Read to the end of the connection; it must come."""
        with suppress(ConnectionError):
            await self._reader.read()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawClient]:
    """Connect to a service of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()
