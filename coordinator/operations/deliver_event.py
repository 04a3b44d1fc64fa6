"""Deliver what is due to one sink: attempts are counted first, then sent, then written down.

Whoever dies in between leaves a delivery that is due again a minute later: the sink hears of the
event twice, by the same id.
"""

import asyncio
from typing import Final

import structlog

from coordinator import points, tracing
from coordinator.adapters import events
from coordinator.adapters.entropy import chance
from coordinator.adapters.outlasting import outlasting
from coordinator.adapters.postgres import transaction
from coordinator.adapters.sinks import Outlet
from coordinator.adapters.stores import Stores
from coordinator.domain.deliveries import (
    LEASE,
    SEND_SECONDS,
    Claimed,
    Fault,
    Outcome,
    State,
    decide,
)
from coordinator.domain.sinks import kind_of
from coordinator.telemetry import DELIVERIES

_log = structlog.get_logger(__name__)

AT_ONCE: Final = 8  # of one sink, by one worker

# What is not written by then is sent again anyhow.
_WRITE_SECONDS: Final = LEASE.total_seconds() - SEND_SECONDS


async def deliver_due(stores: Stores, outlet: Outlet) -> int:
    """Make an attempt with each of the next few that are due, side by side; return how many."""
    async with transaction(stores.pool) as tx:
        claimed = await events.claim(tx, outlet.sink.name, limit=AT_ONCE)
    if claimed:
        points.passed("event-claimed")
    await asyncio.gather(*(_deliver(stores, outlet, each) for each in claimed))
    return len(claimed)


async def _deliver(stores: Stores, outlet: Outlet, claimed: Claimed) -> None:
    with tracing.carried_on(claimed.event.trace):
        fault = await _sent(outlet, claimed)
    points.passed("event-sent")
    outcome = decide(claimed, fault, random=chance())

    async def write() -> bool:
        async with transaction(stores.pool) as tx:
            return await events.settle(tx, claimed, outcome)

    written = await outlasting(write, seconds=_WRITE_SECONDS)
    told = _word(outcome) if written else "fenced"
    DELIVERIES.labels(kind_of(outlet.sink), told).inc()
    log = _log.info if outcome.state is State.DELIVERED else _log.warning
    log(
        "event",
        outcome=told,
        event_id=claimed.event.public_id,
        type=claimed.event.type,
        sink=claimed.sink,
        attempt=claimed.attempt,
        error=outcome.error,
    )


async def _sent(outlet: Outlet, claimed: Claimed) -> Fault | None:
    what: tracing.Attributes = {
        tracing.UPLOAD_ID: claimed.event.subject,
        tracing.ATTEMPT: claimed.attempt,
    }
    with tracing.call(f"event to {kind_of(outlet.sink)}", what) as span:
        try:
            return await outlet.deliver(claimed.event)
        except Exception as exc:  # noqa: BLE001 - no sink takes the others down, whatever it does
            tracing.fail(span, exc)
            # Its name alone: what libraries say may repeat addresses and passwords.
            return Fault(f"unexpected-{type(exc).__name__}")


def _word(outcome: Outcome) -> str:
    return "retried" if outcome.state is State.WAITING else outcome.state.value
