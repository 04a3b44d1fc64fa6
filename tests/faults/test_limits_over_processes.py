"""Limits hold over processes: four real services, one user, and not one request too many."""

import asyncio
import logging
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from coordinator.embedded import Addresses
from tests.faults.warm import WarmProgram
from tests.sdk.installation import free_port, prepared

pytestmark = pytest.mark.alone

_log: Final = logging.getLogger(__name__)

_SECONDS: Final = 20.0
# A second. Other tests run beside this one; `make limits` asks for more, alone.
_RATE: Final = int(os.environ.get("RATE", "50"))
_BURST: Final = 2 * _RATE
_PROCESSES: Final = 4
_CLIENTS: Final = 8
_PAUSE_S: Final = 0.02
_READ: Final = "/api/upload/status/upl_none"  # 404 without asking any store
_LIMITS: Final = {
    "COORDINATOR_RATE_LIMITS_USER": f"read={_RATE}/s:{_BURST}",
    # For the tests of addresses, of which all clients here have one.
    "COORDINATOR_RATE_LIMITS_ADDRESS": "open=1/h:3",
    "COORDINATOR_LOG_LEVEL": "warning",
}


class Running(msgspec.Struct, frozen=True):
    """The services: some that trust no proxy, and one that trusts this machine."""

    urls: list[str]
    trusting: str
    key: str
    redis_url: str


@pytest.fixture(scope="module")
def running(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Processes as an operator runs them, on stores that they share."""
    folder = tmp_path_factory.mktemp("limits")
    # Another secret than other tests have: their requests are not to be charged to our buckets.
    secret = secrets.token_hex(32)
    environ, key = prepared(
        servers, database=f"limits_{os.getpid()}", COORDINATOR_SECRET=secret, **_LIMITS
    )
    urls: list[str] = []
    with ExitStack() as stack:
        for number in range(_PROCESSES + 1):
            port = free_port()
            own = {**environ, "COORDINATOR_PORT": str(port)}
            if number == _PROCESSES:
                own["COORDINATOR_TRUSTED_PROXIES"] = "127.0.0.0/8"
            program = WarmProgram("serve", own, folder / f"service-{number}.log")
            stack.callback(program.kill)
            program.start()
            urls.append(f"http://127.0.0.1:{port}")
        for url in urls:
            _wait_for(url)
        yield Running(urls[:-1], urls[-1], key, servers.redis_url)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/readyz", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"{url} did not start"
        time.sleep(0.1)


async def _seconds(redis: Redis) -> float:
    """Return Redis's time."""
    seconds, microseconds = await redis.time()
    return float(seconds + microseconds / 1_000_000)


async def _hammer(url: str, key: str, until: float, seen: Counter[int]) -> None:
    """Ask without a pause for as long as it is answered, and often when it is not.

    On a bare connection: the clients must cost this machine less than what they ask for.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    request = f"GET {_READ} HTTP/1.1\r\nHost: service\r\nAuthorization: Bearer {key}\r\n\r\n"
    while time.monotonic() < until:
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head)
        assert length is not None, head
        await reader.readexactly(int(length[1]))
        status = int(head.split(b" ", 2)[1])
        seen[status] += 1
        if status == httpx.codes.TOO_MANY_REQUESTS:
            await asyncio.sleep(_PAUSE_S)
    writer.close()
    await writer.wait_closed()


async def test_four_processes_let_through_what_one_limit_allows(running: Running) -> None:
    """Within 1%: rate times time and one burst, the time being Redis's."""
    seen: Counter[int] = Counter()
    urls = [running.urls[number % _PROCESSES] for number in range(_CLIENTS)]
    async with Redis.from_url(running.redis_url) as redis:
        began = await _seconds(redis)
        until = time.monotonic() + _SECONDS
        await asyncio.gather(*(_hammer(url, running.key, until, seen) for url in urls))
        elapsed = await _seconds(redis) - began

    allowed = _BURST + _RATE * elapsed
    _log.info("%d of %.1f allowed passed, %d were refused", seen[404], allowed, seen[429])
    assert set(seen) == {404, 429}
    assert seen[429] > 0.1 * seen[404], "not enough was asked to see the limit"
    assert 0.99 * allowed <= seen[404] <= allowed


async def _inits(url: str, running: Running, forwarded: list[str]) -> list[int]:
    """Ask for uploads that cannot be opened, each as if for another client; 429: not even read."""
    headers = {"Authorization": f"Bearer {running.key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0) as client:
        return [
            (
                await client.post("/api/upload/init", json={}, headers={"X-Forwarded-For": each})
            ).status_code
            for each in forwarded
        ]


async def test_a_header_that_nobody_trusts_makes_no_new_client(running: Running) -> None:
    """Four processes, a new address invented for each request: three pass, as for one address."""
    seen: list[int] = []
    for number, url in enumerate(running.urls):
        seen += await _inits(url, running, [f"192.0.2.{number}", f"2001:db8:{number}::1"])

    assert seen == [422] * 3 + [429] * 5


async def test_clients_behind_a_trusted_proxy_are_told_apart(running: Running) -> None:
    """By what the proxy appended; an IPv6 network is one client, whatever it calls itself."""
    one = [f"6.6.6.{number}, 198.51.100.7" for number in range(5)]
    other = ["198.51.100.8"]
    household = [f"2001:db8:1:2::{number}" for number in range(1, 6)]
    neighbour = ["2001:db8:1:3::1"]

    seen = await _inits(running.trusting, running, [*one, *other, *household, *neighbour])

    assert seen == ([422] * 3 + [429] * 2 + [422]) * 2
