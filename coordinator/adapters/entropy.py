"""Random values. Ids are UUIDv7 (RFC 9562, section 5.7): new rows stand together in the index.

The time in an id is the host's and orders nothing that matters.
"""

import os
import random
import time
from typing import Final
from uuid import UUID

_VERSION_7: Final = 7 << 76
_VARIANT: Final = 2 << 62
_RANDOM_BITS: Final = ((1 << 12) - 1) << 64 | ((1 << 62) - 1)


def new_uuid() -> UUID:
    """Make a UUIDv7."""
    milliseconds = time.time_ns() // 1_000_000
    bits = int.from_bytes(os.urandom(10), "big") & _RANDOM_BITS
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | _VERSION_7 | _VARIANT | bits)


def new_token() -> str:
    """Make the random proof that a multipart, and the object that comes of it, is ours."""
    return os.urandom(16).hex()


def random_bytes(count: int) -> bytes:
    """Return ``count`` bytes from the system's generator."""
    return os.urandom(count)


def chance() -> float:
    """Return a number in [0, 1), to spread what would happen all at once."""
    return random.random()  # noqa: S311 - nobody gains by guessing it
