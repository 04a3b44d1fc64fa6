"""Thousands of small PUTs, as fast as S3 takes them: HTTP/1.1 by hand on kept connections."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

_CONNECTIONS: Final = 16


async def put_all(signed: Iterable[Mapping[str, Any]], bodies: Mapping[int, bytes]) -> list[int]:
    """Send each chunk to its signed URL, in any order, and return the statuses."""
    asked = [_request(each, bodies[each["chunkIndex"]]) for each in signed]
    todo = iter(asked)
    workers = [asyncio.create_task(_send(todo)) for _ in range(_CONNECTIONS)]
    statuses = [status for found in await asyncio.gather(*workers) for status in found]
    assert len(statuses) == len(asked)
    return statuses


def _request(signed: Mapping[str, Any], body: bytes) -> tuple[str, int, bytes]:
    url = urlsplit(signed["url"])
    headers = {"Host": url.netloc, **signed["headers"], "Content-Length": str(len(body))}
    lines = [f"PUT {url.path}?{url.query} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port, "\r\n".join([*lines, "", ""]).encode() + body


async def _send(todo: Iterator[tuple[str, int, bytes]]) -> list[int]:
    statuses: list[int] = []
    writer: asyncio.StreamWriter | None = None
    for host, port, request in todo:
        if writer is None:
            reader, writer = await asyncio.open_connection(host, port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        statuses.append(int(head[9:12]))
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
    if writer is not None:
        writer.close()
        await writer.wait_closed()
    return statuses
