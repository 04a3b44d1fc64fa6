"""How far to hash ahead of sending, and when to ask for how many URLs. Pure."""

from typing import Final

MAX_BATCH: Final = 1_000
# Read a second time when it is sent, a chunk should still be in the page cache.
_AHEAD_BYTES: Final = 256 * 1024 * 1024


def window(chunk_bytes: int, *, concurrency: int) -> int:
    """Return how many chunks may be hashed and not yet on their way.

    >>> window(8 * 1024 * 1024, concurrency=4), window(5 * 1024**3, concurrency=4)
    (32, 8)
    """
    return max(2 * concurrency, min(MAX_BATCH, _AHEAD_BYTES // max(1, chunk_bytes)))


def batch_to_sign(
    *, hashed: int, waiting: int, concurrency: int, window: int, is_last: bool
) -> int:
    """Return how many of the ``hashed`` chunks to sign now; 0 is "not yet".

    ``waiting`` chunks have a URL and no sender. While these could run dry, whatever is hashed
    is signed, so that sending begins with the first chunk; later a batch is a quarter of the
    window or more. ``is_last``: nothing more will be hashed.
    """
    if waiting < concurrency or is_last or (hashed >= window // 4 and waiting < window // 2):
        return min(hashed, MAX_BATCH)
    return 0
