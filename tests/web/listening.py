"""A service on a real port, and readers of its events: ASGI alone would keep them to the end."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import msgspec
import uvicorn
from litestar import Litestar

_PATIENCE_S = 20.0


class Event(NamedTuple):
    """One event as it was read."""

    id: str
    kind: str
    data: Any


class Reader:
    """Reads one stream to its end, in a task of its own."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.has_ended = False
        self._more = asyncio.Condition()

    async def read(self) -> None:
        """Collect events until the stream ends."""
        fields: dict[str, str] = {}
        async for line in self.answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif line:
                await self._note(comment=line)
            elif "event" in fields:
                data = msgspec.json.decode(fields["data"])
                await self._note(Event(fields["id"], fields["event"], data))
                fields = {}
        await self._note(ends=True)

    async def _note(self, *events: Event, comment: str | None = None, ends: bool = False) -> None:
        async with self._more:
            self.events += events
            self.comments += [comment] if comment else []
            self.has_ended = ends
            self._more.notify_all()

    async def until(
        self, is_enough: Callable[["Reader"], bool], seconds: float = _PATIENCE_S
    ) -> list[Event]:
        """Wait for what is told, and return all events so far."""
        async with asyncio.timeout(seconds), self._more:
            await self._more.wait_for(lambda: is_enough(self))
        return self.events

    async def seen(self, kind: str, seconds: float = _PATIENCE_S, **members: Any) -> list[Event]:
        """Wait for an event with these members."""
        return await self.until(lambda _: bool(_having(self.events, kind, members)), seconds)

    async def ended(self, seconds: float = _PATIENCE_S) -> list[Event]:
        """Wait for the end."""
        return await self.until(lambda reader: reader.has_ended, seconds)

    def all(self, kind: str) -> list[Any]:
        """Return what was told of one kind, in its order."""
        return [event.data for event in self.events if event.kind == kind]


def _having(events: Sequence[Event], kind: str, members: dict[str, Any]) -> list[Event]:
    return [
        event for event in events if event.kind == kind and members.items() <= event.data.items()
    ]


class Service:
    """A service on a port, and a key for it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    @asynccontextmanager
    async def reading(self, upload_id: str, last: str | None = None) -> AsyncGenerator[Reader]:
        """Read an upload's events until the block ends."""
        headers = _from(last)
        path = f"/api/uploads/{upload_id}/events"
        async with self.http.stream("GET", path, headers=headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            reader = Reader(answer)
            task = asyncio.create_task(reader.read())
            try:
                yield reader
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def ask(self, upload_id: str, last: str | None = None) -> httpx.Response:
        """Ask for events that must be refused, or over."""
        return await self.http.get(f"/api/uploads/{upload_id}/events", headers=_from(last))


def _from(last: str | None) -> httpx.Headers:
    """Ask to go on after an event; ids may be no ASCII."""
    return httpx.Headers({} if last is None else {"Last-Event-ID": last}, encoding="latin-1")


@asynccontextmanager
async def served(app: Litestar, key: str) -> AsyncGenerator[Service]:
    """Serve ``app``, whose lifespan is open, on a free port until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, timeout_graceful_shutdown=5, access_log=False
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        headers = {"Authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(
            base_url=url, headers=headers, limits=limits, timeout=60.0
        ) as http:
            yield Service(http)
        server.should_exit = True
        await serving
