"""Do the same for many, a few at once; one that fails keeps no other from being done."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

import structlog

from coordinator.domain.errors import CoordinatorError

_log = structlog.get_logger(__name__)

T = TypeVar("T")

_AT_ONCE: Final = 4


async def side_by_side(
    what: str, work: Callable[[T], Awaitable[object]], items: Iterable[T]
) -> int:
    """Await ``work`` for every item and return for how many it succeeded; the rest is logged."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(item: T) -> bool:
        async with places:
            try:
                await work(item)
            except CoordinatorError as refusal:
                _log.info(f"{what} refused", code=refusal.code)
                return False
            except Exception as exc:  # noqa: BLE001 - the others are done, and this one next time
                _log.warning(f"{what} failed", error=type(exc).__name__)
                return False
            return True

    return sum(await asyncio.gather(*(one(item) for item in items)))
