"""Slow, silent and malformed clients: none of them keeps the service from the others."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from coordinator.embedded import Addresses
from tests.cli.slow_clients import Answer, RawClient, connected
from tests.faults.warm import WarmProgram
from tests.sdk.installation import free_port, prepared
from tests.web.test_page_policy import EVERYWHERE

_HOST: Final = b"Host: x\r\n"
_PATIENCE_S: Final = 1
_CONNECTIONS: Final = 40


class Target:
    """A service that runs, and how to ask it for something that needs its stores."""

    def __init__(self, port: int, key: str, log: Path) -> None:
        self.port = port
        self.auth = f"Authorization: Bearer {key}\r\n".encode()
        self.log = log

    async def seconds_of_a_good_request(self) -> float:
        """Ask as others do, and return how long it took."""
        started = time.perf_counter()
        async with connected(self.port) as client:
            await client.send(b"GET /api/uploads HTTP/1.1\r\n" + _HOST + self.auth + b"\r\n")
            answer = await client.answer()
        assert answer is not None
        assert answer.status == 200
        return time.perf_counter() - started

    def post(self, *more: bytes) -> bytes:
        """Build the head of an init."""
        lines = (b"POST /api/upload/init HTTP/1.1", b"Host: x", self.auth.strip())
        return b"\r\n".join([*lines, b"Content-Type: application/json", *more, b"", b""])


@pytest.fixture(scope="module")
def target(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One process for the module, which waits a second at most and holds 40 connections."""
    log, port = tmp_path_factory.mktemp("slow") / "service.log", free_port()
    environ, key = prepared(
        servers,
        database=f"slow_{os.getpid()}",
        COORDINATOR_PORT=str(port),
        COORDINATOR_HEADER_TIMEOUT_SECONDS=str(_PATIENCE_S),
        COORDINATOR_BODY_TIMEOUT_SECONDS=str(_PATIENCE_S),
        COORDINATOR_WRITE_TIMEOUT_SECONDS=str(_PATIENCE_S),
        COORDINATOR_MAX_CONNECTIONS=str(_CONNECTIONS),
    )
    service = WarmProgram("serve", environ, log)
    service.start()
    try:
        _await_answer(port)
        yield Target(port, key, log)
    finally:
        service.kill()


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + 60.0
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the service did not start"
        time.sleep(0.05)


async def _ask(target: Target, data: bytes) -> Answer:
    async with asyncio.timeout(20), connected(target.port) as client:
        await client.send(data)
        answer = await client.answer()
        assert answer is not None, "it ended without an answer"
        return answer


def _codes(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    told = {name: answer.headers.get(name) for name in EVERYWHERE}
    assert told == EVERYWHERE
    return answer.status, answer.problem["code"]


@asynccontextmanager
async def _many(target: Target, count: int, first: bytes) -> AsyncIterator[list[RawClient]]:
    """Open connections, and send the beginning of something on each."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            client = await stack.enter_async_context(connected(target.port))
            await client.send(first)
            clients.append(client)
        yield clients


async def test_a_head_that_does_not_come_in_time_is_given_up(target: Target) -> None:
    """Byte by byte does not make the time longer; others are served meanwhile."""
    head = b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 90
    async with asyncio.timeout(20), _many(target, 30, head[:1]) as clients:
        dripping = [asyncio.create_task(each.drip(head[1:], pause_s=0.05)) for each in clients]
        seconds = await target.seconds_of_a_good_request()
        answers = [await client.answer() for client in clients]
        for each in dripping:
            each.cancel()

    assert {_codes(answer) for answer in answers if answer} == {(408, "request-timeout")}
    assert None not in answers
    assert seconds < 0.9


async def test_a_body_that_does_not_come_in_time_is_given_up(target: Target) -> None:
    """The handler waits no longer for it, and the log calls it no fault of ours."""
    async with asyncio.timeout(20), connected(target.port) as client:
        await client.send(target.post(b"Content-Length: 1000"))
        dripping = asyncio.create_task(client.drip(b'{"a": "' + b"x" * 900, pause_s=0.05))
        answer = await client.answer()
        dripping.cancel()

    assert answer is not None
    assert _codes(answer) == (408, "request-timeout")
    assert '"status":500' not in target.log.read_text()


async def test_a_body_that_keeps_coming_is_waited_for(target: Target) -> None:
    """Longer than the patience, but 64 KiB a second and more."""
    name = b"x" * 400_000
    body = b'{"fileSize": 1, "fileType": "", "fileName": "' + name + b'"}'
    async with asyncio.timeout(30), connected(target.port) as client:
        await client.send(target.post(b"Content-Length: %d" % len(body)))
        for at in range(0, len(body), 40_000):
            await client.send(body[at : at + 40_000])
            await asyncio.sleep(0.2)
        answer = await client.answer()

    assert answer is not None
    assert _codes(answer) == (422, "invalid-field")


async def _send_until_cut(deaf: socket.socket, request: bytes) -> None:
    # Slowly enough that none waits for the one before, while that can be written.
    while True:
        await asyncio.get_running_loop().sock_sendall(deaf, request)
        await asyncio.sleep(0.2)


async def test_who_does_not_read_is_cut(target: Target) -> None:
    """What was sent to it lies in our memory for so long and no longer."""
    request = b"GET /schema/openapi.json HTTP/1.1\r\n" + _HOST + b"\r\n"
    await _ask(target, request)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)  # noqa: FBT003 - it takes no name
        await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", target.port))
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_send_until_cut(deaf, request), 20)

    assert "client does not read" in target.log.read_text()


async def test_idle_connections_make_room_for_whoever_has_a_request(target: Target) -> None:
    """500 that say nothing, where 40 are held."""
    async with asyncio.timeout(60), _many(target, 500, b""):
        seconds = [await target.seconds_of_a_good_request() for _ in range(5)]

    assert max(seconds) < 0.9


async def test_where_none_is_idle_a_new_client_is_told_to_come_again(target: Target) -> None:
    """503 at once, and service again as soon as the others have had their time."""
    async with asyncio.timeout(20), _many(target, _CONNECTIONS, b"GET /"):
        refused = await _ask(target, b"GET /healthz HTTP/1.1\r\n" + _HOST + b"\r\n")
        await asyncio.sleep(_PATIENCE_S + 0.3)
        await target.seconds_of_a_good_request()

    assert _codes(refused) == (503, "unavailable")
    assert refused.headers["retry-after"] == "2"


_BAD_REQUEST: Final = (400, "bad-request")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01", _BAD_REQUEST),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _BAD_REQUEST),
        (b"FROB /healthz HTTP/1.1\r\n\r\n", _BAD_REQUEST),
        (b"CONNECT example.com:443 HTTP/1.1\r\n\r\n", _BAD_REQUEST),
        (b"TRACE /healthz HTTP/1.1\r\n\r\n", (405, "method-not-allowed")),
        (b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", _BAD_REQUEST),
        (b"GET /api/uploads?cursor=\xff HTTP/1.1\r\n\r\n", _BAD_REQUEST),
        (b"GET /%00%ff HTTP/1.1\r\n\r\n", (404, "no-such-route")),
        (b"GET /healthz HTTP/1.1\r\nX: a\x00b\r\n\r\n", _BAD_REQUEST),
        (b"GET /healthz HTTP/1.1\r\nX: a\n b\r\n\r\n", _BAD_REQUEST),
        (b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", _BAD_REQUEST),
        (b"GET /" + b"x" * 8_200 + b" HTTP/1.1\r\n\r\n", (414, "url-too-long")),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 33_000 + b"\r\n\r\n", (431, "headers-too-large")),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", (431, "headers-too-large")),
    ],
    ids=lambda value: ascii(value[:24]) if isinstance(value, bytes) else None,
)
async def test_what_is_no_good_http_is_a_problem_and_no_fault(
    target: Target, request_: bytes, expected: tuple[int, str]
) -> None:
    """The listener answers as the routes do."""
    assert _codes(await _ask(target, request_)) == expected


@pytest.mark.parametrize(
    "headers",
    [
        (b"Content-Length: 2", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 2", b"Content-Length: 2"),
        (b"Content-Length: 2, 2",),
        (b"Content-Length: -1",),
        (b"Content-Length: 99999999999999999999",),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: chunked, identity",),
    ],
    ids=lambda value: ascii(b" + ".join(value)),
)
async def test_a_body_has_one_length_that_all_agree_on(
    target: Target, headers: tuple[bytes, ...]
) -> None:
    """A proxy and we might cut the stream at different places: request smuggling."""
    assert _codes(await _ask(target, target.post(*headers) + b"{}")) == _BAD_REQUEST


async def test_an_endless_head_and_endless_requests_are_cut(target: Target) -> None:
    """One header that never ends, and requests without waiting for the answers before."""
    endless = b"GET / HTTP/1.1\r\nX: " + b"x" * 400_000
    async with asyncio.timeout(20), connected(target.port) as client:
        await client.send(endless)
        answer = await client.answer()
    async with asyncio.timeout(20), connected(target.port) as client:
        await client.send((b"GET /readyz HTTP/1.1\r\n" + _HOST + b"\r\n") * 50)
        await client.ended()

    assert answer is None or _codes(answer) == (431, "headers-too-large")


async def test_http_1_0_is_served(target: Target) -> None:
    """Health checks of old balancers speak it."""
    answer = await _ask(target, b"GET /healthz HTTP/1.0\r\n\r\n")

    assert (answer.status, answer.headers["connection"]) == (200, "close")
