"""Ending tasks for certain."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

_PATIENCE_SECONDS: Final = 0.5


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended, and keep silent about how.

    Once is not enough: before Python 3.12 ``asyncio.wait_for``, which psycopg waits with, forgets a
    cancellation that comes together with its result.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _done, pending = await asyncio.wait(pending, timeout=_PATIENCE_SECONDS)
