"""Hints over Redis' pub/sub: they may be lost, but not for long, and cost one connection."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import pytest
from redis.asyncio import Redis

from coordinator.adapters import clock
from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.hints import Hint, Hints, open_hints
from coordinator.adapters.ledger import Ledger, Report, channel
from coordinator.adapters.postgres import Pool
from coordinator.domain.uploads import Owner
from coordinator.embedded import Addresses
from tests.builders import add_upload
from tests.relay import Relay, relaying


class Heard:
    """Collects the hints of one upload."""

    def __init__(self) -> None:
        self._hints: asyncio.Queue[Hint] = asyncio.Queue()

    def __call__(self, hint: Hint) -> None:
        """Take one."""
        self._hints.put_nowait(hint)

    async def next(self, seconds: float = 5.0) -> Hint:
        """Return the next one."""
        async with asyncio.timeout(seconds):
            return await self._hints.get()

    @property
    def are_none(self) -> bool:
        """Whether there is none waiting."""
        return self._hints.empty()


@pytest.fixture
async def relay(servers: Addresses) -> AsyncIterator[Relay]:
    """A relay before Valkey."""
    address = urlsplit(servers.redis_url)
    async with relaying(address.hostname or "", address.port or 0) as opened:
        yield opened


@pytest.fixture
def relayed_url(servers: Addresses, relay: Relay) -> str:
    """Valkey's address through the relay."""
    address = urlsplit(servers.redis_url)
    login = address.netloc.rpartition("@")[0]
    return urlunsplit(address._replace(netloc=f"{login}@127.0.0.1:{relay.port}"))


@pytest.fixture
async def hints(relayed_url: str) -> AsyncIterator[Hints]:
    """The process' hints, through the relay."""
    async with open_hints(relayed_url) as opened:
        yield opened


async def _readers(redis: Redis, *uploads: UUID) -> list[int]:
    answer: Any = await redis.pubsub_numsub(*map(channel, uploads))
    return [count for _channel, count in answer]


async def test_what_changes_an_upload_is_hinted_at(
    hints: Hints, ledger: Ledger, pool: Pool
) -> None:
    """A report says so itself; what Postgres knows is told by whoever has written it."""
    upload = await add_upload(pool)
    await ledger.open(upload)
    heard = Heard()
    hints.add(upload.id, heard)
    subscribed = await heard.next()

    await ledger.report(upload.id, Owner("default", "alice"), [Report(1)])
    reported = await heard.next()
    changes = [
        ledger.notify(upload.id),
        ledger.clear(upload.id, [1]),
        ledger.forget(upload),
        ledger.clear(upload.id, [1]),  # of an upload that Redis has forgotten
    ]
    told = []
    for change in changes:
        await change
        told.append(await heard.next())

    assert (subscribed, reported, told) == ("state", "progress", ["state"] * 4)


async def test_a_refused_report_is_no_change(hints: Hints, ledger: Ledger, pool: Pool) -> None:
    """Nobody can wake the readers of another's upload."""
    upload = await add_upload(pool)
    await ledger.open(upload)
    heard = Heard()
    hints.add(upload.id, heard)
    await heard.next()

    with pytest.raises(Exception, match="no upload"):
        await ledger.report(upload.id, Owner("default", "bob"), [Report(1)])
    await ledger.notify(upload.id)

    assert await heard.next() == "state"
    assert heard.are_none


async def test_many_uploads_are_one_connection_and_nobody_waiting_is_none(
    hints: Hints, relay: Relay, redis: Redis, ledger: Ledger
) -> None:
    """Subscriptions come and go; the connection stays."""
    waiting = {new_uuid(): Heard() for _ in range(50)}
    before = relay.connections
    for upload_id, heard in waiting.items():
        hints.add(upload_id, heard)
    for heard in waiting.values():
        await heard.next()
    first, last = next(iter(waiting)), list(waiting)[-1]

    hints.remove(first)
    await ledger.notify(last)

    assert await waiting[last].next() == "state"
    assert (before, relay.connections) == (0, 1)
    for _ in range(200):
        if (readers := await _readers(redis, first, last)) == [0, 1]:
            break
        await asyncio.sleep(0.01)
    assert readers == [0, 1]


async def test_a_cut_connection_is_made_anew_and_all_are_woken(
    hints: Hints, relay: Relay, ledger: Ledger
) -> None:
    """What was published meanwhile is lost, so everybody must look."""
    upload_id, heard = new_uuid(), Heard()
    hints.add(upload_id, heard)
    await heard.next()
    assert hints.are_live

    relay.is_refusing = True
    relay.cut()
    lost = await heard.next()
    were_live = hints.are_live
    await ledger.notify(upload_id)
    relay.is_refusing = False
    while not hints.are_live:
        await heard.next()
    await ledger.notify(upload_id)

    assert (lost, were_live, await heard.next()) == ("state", False, "state")


async def test_a_silent_redis_is_noticed(hints: Hints, relay: Relay) -> None:
    """A connection that is half open would otherwise be waited on for ever."""
    upload_id, heard = new_uuid(), Heard()
    hints.add(upload_id, heard)
    await heard.next()

    relay.freeze()
    lost = await heard.next(seconds=8.0)

    assert (lost, hints.are_live) == ("state", False)


async def test_without_redis_a_hint_costs_the_one_who_gives_it_nothing(
    relay: Relay, relayed_url: str
) -> None:
    """An operation is never held up, and never fails, for who may be watching."""
    async with Redis.from_url(relayed_url) as redis:
        ledger = Ledger(redis, lifetime=timedelta(days=7))
        await ledger.notify(new_uuid())
        relay.freeze()
        started = clock.elapsed()

        await ledger.notify(new_uuid())
        relay.is_refusing = True
        relay.cut()
        await ledger.notify(new_uuid())

        assert clock.elapsed() - started < 1.5
