"""The loops that deliver events: one a sink, so that a sink that is away keeps no other waiting."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from coordinator.adapters import events
from coordinator.adapters.sinks import Outlet, open_outlet
from coordinator.adapters.stores import Stores
from coordinator.domain.sinks import Sink, kind_of
from coordinator.operations.deliver_event import deliver_due
from coordinator.telemetry import DELIVERIES_OLDEST

_log = structlog.get_logger(__name__)

IDLE_SECONDS: Final = 1.0
_OBSERVE_SECONDS: Final = 10.0


async def deliver_events(stores: Stores, stopping: asyncio.Event) -> None:
    """Deliver what is due to each sink until told to stop; what is being sent is finished first."""
    if stores.sinks.all:
        loops = [_serve(stores, sink, stopping) for sink in stores.sinks.all]
        await asyncio.gather(*loops, _observe(stores, stopping))


async def _serve(stores: Stores, sink: Sink, stopping: asyncio.Event) -> None:
    async with open_outlet(sink) as outlet:
        await _repeat(lambda: _drain(stores, outlet, stopping), stopping, pause=IDLE_SECONDS)


async def _drain(stores: Stores, outlet: Outlet, stopping: asyncio.Event) -> None:
    while not stopping.is_set() and await deliver_due(stores, outlet):
        continue


async def _observe(stores: Stores, stopping: asyncio.Event) -> None:
    async def measure() -> None:
        async with stores.pool.connection() as conn:
            ages = await events.ages(conn, [sink.name for sink in stores.sinks.all])
        for kind in {kind_of(sink) for sink in stores.sinks.all}:
            names = [sink.name for sink in stores.sinks.all if kind_of(sink) == kind]
            DELIVERIES_OLDEST.labels(kind).set(max(ages.get(name, 0.0) for name in names))

    await _repeat(measure, stopping, pause=_OBSERVE_SECONDS)


async def _repeat(
    work: Callable[[], Awaitable[None]], stopping: asyncio.Event, *, pause: float
) -> None:
    """Do it again and again, whatever comes of it, until told to stop."""
    while not stopping.is_set():
        try:
            await work()
        except Exception as exc:  # noqa: BLE001 - the loop outlives every failure, and says so
            _log.warning("delivering failed", error=type(exc).__name__)
        try:
            await asyncio.wait_for(stopping.wait(), pause)
        except TimeoutError:
            continue
