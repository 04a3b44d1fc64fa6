"""What has to be written is written, though Postgres be away meanwhile."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from psycopg import OperationalError

_log = structlog.get_logger(__name__)

T = TypeVar("T")

_PAUSE_SECONDS: Final = 1.0


async def outlasting(write: Callable[[], Awaitable[T]], *, seconds: float = math.inf) -> T:
    """Repeat ``write`` until Postgres answers. It must be safe to run twice: answers get lost.

    Raises:
        OperationalError: Postgres was away for longer than ``seconds``.

    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await write()
        except OperationalError as exc:
            if time.monotonic() >= deadline:
                raise
            _log.warning("Postgres away", error=type(exc).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)
