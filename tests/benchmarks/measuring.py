"""Ratios and the table that shows them.

Rule: only ratios and counts are claimed, never times. Both sides of a ratio run in turns in one
call, so that what else the machine does meets both.
"""

import gc
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One measured value, and the range that we promise for it; without one it is only shown."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    @property
    def bar(self) -> str:
        """The promise in words."""
        if self.at_least == self.at_most:
            return "none" if self.at_least is None else f"exactly {self.at_least:g}"
        if self.at_most is None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}"


def exactly(name: str, value: float, promised: float) -> Row:
    """Return a row whose bar is one value, such as a count."""
    return Row(name, value, at_least=promised, at_most=promised)


def table(rows: Sequence[Row]) -> str:
    """Lay the rows out as a Markdown table that reads well as plain text too."""
    lines = [("what", "measured", "bar", "holds")]
    for row in rows:
        holds = "" if row.bar == "none" else ("yes" if row.holds else "NO")
        lines.append((row.name, _number(row.value), row.bar, holds))
    what, measured, bar, _ = (max(map(len, column)) for column in zip(*lines, strict=True))
    lines.insert(1, ("-" * what, "-" * (measured - 1) + ":", "-" * bar, "-----"))
    return "\n".join(
        f"| {a:<{what}} | {b:>{measured}} | {c:<{bar}} | {d:<5} |" for a, b, c, d in lines
    )


def ratio(
    numerator: Callable[[], object], denominator: Callable[[], object], *, rounds: int
) -> float:
    """Return the median of the ratios of ``rounds`` rounds, in which either goes first in turn."""
    ratios = []
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            pair = (numerator, denominator) if turn % 2 else (denominator, numerator)
            seconds = {side: _seconds(side) for side in pair}
            ratios.append(seconds[numerator] / seconds[denominator])
    finally:
        gc.enable()
    return median(ratios)


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
