"""Webhooks: what a receiver gets, and what becomes of one that fails, hangs or is not for us."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from coordinator.adapters import sinks
from coordinator.adapters.sinks import open_outlet
from coordinator.domain.deliveries import Fault
from coordinator.domain.sinks import HttpSink
from tests.adapters.sinks.certificates import certified
from tests.adapters.sinks.conftest import an_event, expected, told
from tests.adapters.sinks.receiver import SECRET, Mood, receiving

_OTHER: Final = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzIG9mIHVz"


def _sink(url: str, **changes: Any) -> HttpSink:
    usual: dict[str, Any] = {"name": "hook", "url": url, "secret": SECRET, "allow_private": True}
    return HttpSink(**(usual | changes))


async def test_a_receiver_gets_an_event_that_its_libraries_can_read() -> None:
    """By its id it can tell a repeat, which it takes once."""
    event = an_event()
    async with receiving() as receiver, open_outlet(_sink(receiver.url)) as outlet:
        faults = [await outlet.deliver(event), await outlet.deliver(event)]

    assert faults == [None, None]
    assert receiver.ids == [event.public_id] * 2
    assert {name: told(each) for name, each in receiver.accepted.items()} == {
        event.public_id: expected(event)
    }
    target, headers = receiver.requests[0]
    assert target == "POST /hook HTTP/1.1"
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["host"] in receiver.url


async def test_while_a_secret_is_changed_both_sign() -> None:
    """A receiver that knows the new one alone, or the old one alone, believes it."""
    both: dict[str, Any] = {"secret": (_OTHER, SECRET)}
    async with receiving() as receiver, open_outlet(_sink(receiver.url, **both)) as outlet:
        await outlet.deliver(an_event())
    body, headers = an_event().encoded(), receiver.requests[0][1]

    assert list(receiver.accepted) == [an_event().public_id]
    Webhook(_OTHER).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(_OTHER).verify(body + b" ", headers)


@pytest.mark.parametrize(
    ("mood", "fault"),
    [
        (200, None),
        (204, None),
        (410, Fault("http-410", is_final=True)),
        (302, Fault("http-302")),
        (400, Fault("http-400")),
        (429, Fault("http-429")),
        (500, Fault("http-500")),
        ("reset", Fault("connection-lost")),
        ("half", Fault("connection-lost")),
    ],
)
async def test_only_2xx_is_delivered_and_only_410_is_final(mood: Mood, fault: Fault | None) -> None:
    """A redirect is no delivery, and is not followed: it was asked of one address."""
    async with receiving() as receiver, open_outlet(_sink(receiver.url)) as outlet:
        receiver.mood = mood
        answered = await outlet.deliver(an_event())

    assert answered == fault
    assert len(receiver.requests) == 1


async def test_a_receiver_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 15 seconds; half a second here."""
    monkeypatch.setattr(sinks, "SEND_SECONDS", 0.5)
    async with receiving() as receiver, open_outlet(_sink(receiver.url)) as outlet:
        receiver.mood = "hang"
        started = time.monotonic()
        fault = await outlet.deliver(an_event())

    assert fault == Fault("timeout")
    assert time.monotonic() - started < 5
    assert len(receiver.requests) == 1


async def test_nobody_listening_is_not_reachable() -> None:
    """The address is in no answer of ours."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/hook"
        async with open_outlet(_sink(url)) as outlet:
            assert await outlet.deliver(an_event()) == Fault("not-reachable")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:7f00:1]"]
)
async def test_what_is_not_of_the_internet_is_not_connected_to(host: str) -> None:
    """Whatever the name resolves to now is checked, and nobody hears of the event."""
    async with receiving() as receiver:
        url = receiver.url.replace("http://127.0.0.1", f"https://{host}")
        async with open_outlet(_sink(url, allow_private=False)) as outlet:
            fault = await outlet.deliver(an_event())

    assert fault == Fault("address-refused")
    assert receiver.requests == []


async def test_a_name_that_changes_between_check_and_connection_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is resolved once, and the address that was checked is connected to."""
    async with receiving() as receiver:
        asked = _resolving(monkeypatch, "127.0.0.1", "1.1.1.1")
        url = receiver.url.replace("127.0.0.1", "hooks.example")
        async with open_outlet(_sink(url)) as outlet:
            fault = await outlet.deliver(an_event())

    assert (fault, asked) == (None, ["hooks.example"])
    assert receiver.requests[0][1]["host"] in url


async def test_a_certificate_must_be_for_the_name_and_not_for_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Though the address is what is connected to."""
    tls, public = certified(tmp_path, "hooks.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    faults = {}
    async with receiving(tls) as receiver:
        for host in ("hooks.example", "other.example"):
            _resolving(monkeypatch, "127.0.0.1")
            url = receiver.url.replace("127.0.0.1", host)
            async with open_outlet(_sink(url)) as outlet:
                faults[host] = await outlet.deliver(an_event())

    assert faults == {"hooks.example": None, "other.example": Fault("tls-failed")}
    assert len(receiver.requests) == 1


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    """Nothing of the event is sent."""
    tls, _public = certified(tmp_path, "localhost")
    async with receiving(tls) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        async with open_outlet(_sink(url)) as outlet:
            fault = await outlet.deliver(an_event())

    assert fault == Fault("tls-failed")
    assert receiver.requests == []


async def test_a_name_that_nobody_knows_is_a_fault_that_may_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names come and go."""
    _resolving(monkeypatch)
    async with open_outlet(_sink("https://hooks.invalid/", allow_private=False)) as outlet:
        assert await outlet.deliver(an_event()) == Fault("name-unknown")


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let names resolve to one address after the other, or to none; return what is asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        address = addresses[min(len(asked), len(addresses)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    return asked
