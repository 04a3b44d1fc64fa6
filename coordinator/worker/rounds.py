"""What workers look for again and again: whatever dead processes, lost messages and time left."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

import structlog

from coordinator.adapters import duties
from coordinator.adapters.stores import Stores

_log = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 10.0


class Duty(NamedTuple):
    """Something to do in every round; with ``every``, only by one worker and no more often."""

    name: str
    work: Callable[[], Awaitable[Any]]
    every: timedelta | None = None


async def go_round(stores: Stores, work: Sequence[Duty], stopping: asyncio.Event) -> None:
    """Go through the duties until told to stop; the one at hand is finished first.

    A duty that fails is tried again when it is due, and keeps no other from being done.
    """
    while not stopping.is_set():
        for duty in work:
            if stopping.is_set():
                return
            try:
                if duty.every is None or await _claim(stores, duty.name, duty.every):
                    await duty.work()
            except Exception as exc:  # noqa: BLE001 - the loop outlives every failure, and says so
                _log.warning("round failed", duty=duty.name, error=type(exc).__name__)
        try:
            await asyncio.wait_for(stopping.wait(), ROUND_SECONDS)
        except TimeoutError:
            continue


async def _claim(stores: Stores, name: str, every: timedelta) -> bool:
    async with stores.pool.connection() as conn:
        return await duties.claim(conn, name, every=every)
