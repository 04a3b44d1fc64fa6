"""The host's clock, for the one thing that it may decide: the date that S3 reads in a signature.

Deadlines and leases are the database's business (``as_of``, ``clock_timestamp()``).
"""

import time
from datetime import UTC, datetime
from typing import Final

# Linux' monotonic clock stands still while a machine is suspended; leases do not.
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return seconds since a moment in the past that nobody can set, sleep included."""
    return time.clock_gettime(_ELAPSED)


def now() -> datetime:
    """Return the host's time, UTC."""
    return datetime.now(UTC)
