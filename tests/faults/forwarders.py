"""Between clients and services: a load balancer like those that people run, and a cable to cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import httpx

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

_LOOK_SECONDS: Final = 0.2


class Cable:
    """Passes bytes on, both ways, unless it is cut: then they wait."""

    def __init__(self) -> None:
        self._whole = asyncio.Event()
        self._whole.set()

    def cut(self) -> None:
        """Let nothing through any more; connections stay open."""
        self._whole.clear()

    async def carry(
        self, client: tuple[asyncio.StreamReader, asyncio.StreamWriter], connect: Connect
    ) -> None:
        """Carry one client's connection."""
        reader, writer = client
        try:
            there_reader, there_writer = await connect()
            await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
        except OSError:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while block := await reader.read(65_536):
                await self._whole.wait()
                writer.write(block)
                await writer.drain()
        finally:
            # As TCP does it: what came before the end arrives before the end.
            with suppress(OSError):
                writer.close()


@asynccontextmanager
async def _listening(cable: Cable, connect: Connect) -> AsyncIterator[str]:
    under_way: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(cable.carry((reader, writer), connect))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


@asynccontextmanager
async def cabled(address: str) -> AsyncIterator[tuple[str, Cable]]:
    """Lead to one server by another address, through a cable."""
    there, cable = urlsplit(address), Cable()

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(there.hostname, there.port)

    async with _listening(cable, connect) as url:
        yield url, cable


@asynccontextmanager
async def balanced(services: Sequence[str]) -> AsyncIterator[tuple[str, set[str]]]:
    """Send each new connection to the next service whose ``/readyz`` is 200, and never elsewhere.

    A connection that is refused there is dropped: nothing is tried twice. Who is ready comes along.
    """
    ready: set[str] = set()
    turn = 0

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        nonlocal turn
        turn += 1
        if not ready:
            raise ConnectionRefusedError
        there = urlsplit(sorted(ready)[turn % len(ready)])
        return await asyncio.open_connection(there.hostname, there.port)

    looking = [asyncio.create_task(_look(each, ready)) for each in services]
    try:
        async with _listening(Cable(), connect) as url:
            yield url, ready
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


async def _look(service: str, ready: set[str]) -> None:
    """Keep ``ready`` true. A service that takes long to answer is as ready as it was."""
    # One connection a look, as load balancers do: none of theirs is kept alive.
    async with httpx.AsyncClient(timeout=1.0, headers={"Connection": "close"}) as http:
        while True:
            try:
                is_ready = (await http.get(f"{service}/readyz")).is_success
            except httpx.TimeoutException:
                is_ready = service in ready
            except httpx.TransportError:
                is_ready = False
            (ready.add if is_ready else ready.discard)(service)
            await asyncio.sleep(_LOOK_SECONDS)
