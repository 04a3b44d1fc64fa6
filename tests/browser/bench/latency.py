"""A fault proxy that does one thing: it adds time to every request, and streams what it passes.

    python -m tests.browser.bench.latency http://127.0.0.1:8333 0.05

prints its address, and runs until it is ended, in a process of its own: it is measured along, so it
must cost neither the browser nor the service a processor's time.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import uvloop

_BLOCK: Final = 262_144
_MAX_HEAD: Final = 65_536

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Latency:
    """Passes on the requests of a connection one after the other, each as late as told."""

    def __init__(self, host: str, port: int, delay_s: float) -> None:
        self._target = (host, port)
        self._delay_s = delay_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        onward = await asyncio.open_connection(*self._target, limit=_BLOCK)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange((reader, writer), onward):
                    pass
        finally:
            onward[1].close()
            writer.close()

    async def _exchange(self, near: Stream, far: Stream) -> bool:
        """Pass on one request and its answer, and say whether the connection may go on."""
        head = await near[0].readuntil(b"\r\n\r\n")
        await asyncio.sleep(self._delay_s)
        far[1].write(head)
        # S3 may answer before it has read all, with a refusal.
        sending = asyncio.ensure_future(_pass_body(head, near[0], far[1]))
        answer = await far[0].readuntil(b"\r\n\r\n")
        near[1].write(answer)
        await sending
        method, status = head.split(b" ", 1)[0], answer.split(b" ", 2)[1]
        if method != b"HEAD" and status not in {b"204", b"304"}:
            await _pass_body(answer, far[0], near[1])
        return _field(answer, b"connection").lower() != b"close"


def _field(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


async def _pass_body(head: bytes, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass on as much as the head announces, in pieces of unknown number or of known length."""
    if _field(head, b"transfer-encoding"):
        while await _pass_piece(source, sink):
            pass
        return
    left = int(_field(head, b"content-length") or 0)
    while left:
        data = await source.read(min(left, _BLOCK))
        if not data:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(data)
        sink.write(data)
        await sink.drain()


async def _pass_piece(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> bool:
    line = await source.readuntil(b"\r\n")
    size = int(line.split(b";")[0], 16)
    sink.write(line + await source.readexactly(size + 2))
    await sink.drain()
    return size > 0


async def _run(upstream: str, delay_s: float) -> None:
    target = urlsplit(upstream)
    latency = Latency(target.hostname or "", target.port or 80, delay_s)
    server = await asyncio.start_server(latency.serve, "127.0.0.1", 0, limit=_BLOCK)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextmanager
def late(upstream: str, delay_s: float) -> Iterator[str]:
    """Run one before ``upstream`` until the block ends, and give its address."""
    proxy = subprocess.Popen(
        [sys.executable, "-m", "tests.browser.bench.latency", upstream, str(delay_s)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert proxy.stdout is not None
        yield proxy.stdout.readline().strip()
    finally:
        proxy.terminate()
        proxy.communicate()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(sys.argv[1], float(sys.argv[2])))
