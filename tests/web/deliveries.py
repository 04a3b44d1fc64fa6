"""Deliveries as a worker leaves them, for tests of what operators do with them."""

from typing import Final

from coordinator.adapters import events
from coordinator.adapters.postgres import Pool, transaction
from coordinator.domain import ids
from coordinator.domain.deliveries import Outcome, State
from coordinator.domain.events import upload_failed
from coordinator.domain.sinks import HttpSink, Sinks
from tests.builders import add_upload

_URL: Final = "https://hooks.example/"


def sinks(*names: str) -> Sinks:
    """Make sinks to which nothing is sent here."""
    return Sinks("/tests", tuple(HttpSink(name=name, url=_URL, secret="x") for name in names))


async def a_delivery(
    pool: Pool, tenant: str, *, state: State = State.DEAD, to: tuple[str, ...] = ("hook",)
) -> str:
    """Write an event of a tenant down, and what became of it; return its id."""
    event = upload_failed(await add_upload(pool, tenant=tenant), reason="aborted")
    async with transaction(pool) as tx:
        await events.add(tx, sinks(*to), event)
    error = None if state is State.DELIVERED else "http-500"
    async with pool.connection() as conn:
        for sink in to if state is not State.WAITING else ():
            for claimed in await events.claim(conn, sink, limit=100):
                await events.settle(conn, claimed, Outcome(state=state, error=error))
    return ids.encode(ids.EVENT, event.id)
