"""A receiver of webhooks as a customer would run one, which fails when it is told to.

It checks every signature by the library that receivers use, reads every event by the one of
CloudEvents, and takes each id once, as docs/events.md advises.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, Literal

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook

SECRET: Final = "whsec_c2VjcmV0IG9mIHRoZSByZWNlaXZlciBvZiB0ZXN0cw=="

# A status; silence; the connection cut before or in the middle of an answer.
Mood = int | Literal["hang", "reset", "half"]


class Receiver:
    """What it has heard. ``moods`` are how it takes the next requests; after them, as ``mood``."""

    def __init__(self) -> None:
        self.url = ""
        self.mood: Mood = 200
        self.moods: list[Mood] = []
        self.requests: list[tuple[str, dict[str, str]]] = []  # target and headers, refused ones too
        self.ids: list[str] = []  # of all events that came with a good signature, repeats too
        self.accepted: dict[str, Any] = {}  # event by id
        self.changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request, and close."""
        try:
            await self._take(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked did not wait
        finally:
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in head[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        mood = self.moods.pop(0) if self.moods else self.mood
        self.requests.append((head[0], headers))
        self._hear(headers, body, is_taken=mood in {200, 202, 204, "half"})
        self.changed.set()
        if mood == "hang":
            await asyncio.Event().wait()
        elif mood == "half":
            writer.write(b"HTTP/1.1 2")
        elif mood != "reset":
            reason = HTTPStatus(int(mood)).phrase
            location = "Location: http://127.0.0.1:1/\r\n" if int(mood) in {301, 302, 307} else ""
            answer = f"HTTP/1.1 {mood} {reason}\r\n{location}Content-Length: 0\r\n\r\n"
            writer.write(answer.encode())
        await writer.drain()

    def _hear(self, headers: dict[str, str], body: bytes, *, is_taken: bool) -> None:
        Webhook(SECRET).verify(body, headers)
        event = from_http_event(HTTPMessage(headers=headers, body=body))
        assert event.get_id() == headers["webhook-id"]
        self.ids.append(event.get_id())
        if is_taken:
            self.accepted.setdefault(event.get_id(), event)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of loopback until the block ends."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver.serve(reader, writer)
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
