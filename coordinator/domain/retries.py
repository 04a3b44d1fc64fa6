"""How long to wait before something is tried again. Rule: the random number is passed in."""

from datetime import timedelta
from typing import Final

_SPREAD: Final = 0.5  # of the pause, so that those that failed together do not come back together


def backoff(
    attempt: int, *, first: timedelta, factor: float, most: timedelta, random: float
) -> timedelta:
    """Return the pause after the ``attempt``-th failure; ``random`` is in [0, 1).

    >>> pauses = [backoff(n, first=timedelta(seconds=5), factor=3, most=timedelta(hours=6),
    ...           random=0.5) for n in (1, 2, 3, 60_000)]
    >>> [pause.total_seconds() for pause in pauses]
    [5.0, 15.0, 45.0, 21600.0]
    """
    pause, number = first, 1
    while number < attempt and pause < most:
        pause, number = pause * factor, number + 1
    return min(pause, most) * (1 - _SPREAD / 2 + _SPREAD * random)
