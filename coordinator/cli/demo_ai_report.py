"""The report of ``coordinator demo-ai``: what was expected, and what was found."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

_EXAMPLES: Final = 10


class Check(NamedTuple):
    """One line."""

    what: str
    expected: Any
    found: Any

    @property
    def is_ok(self) -> bool:
        """Whether it turned out as it should."""
        return bool(self.expected == self.found)


class Measure(NamedTuple):
    """How well one kind was found."""

    kind: str
    planted: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """The part of what was found that is there."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """The part of what is there that was found."""
        return self.right / self.planted if self.planted else 1.0

    @property
    def is_ok(self) -> bool:
        """Whether exactly what was planted was found."""
        return self.planted == self.found == self.right


def measured(pairs: Iterable[tuple[Counter[str], Counter[str]]]) -> list[Measure]:
    """Compare what rows hold with what was found in them, kind by kind.

    >>> measured([(Counter(a=1), Counter(a=1)), (Counter(a=1, b=1), Counter(b=2))])
    [Measure(kind='a', planted=2, found=1, right=1), Measure(kind='b', planted=1, found=2, right=1)]
    """
    planted, found, right = Counter[str](), Counter[str](), Counter[str]()
    for expected, seen in pairs:
        planted += expected
        found += seen
        right += expected & seen
    kinds = sorted({*planted, *found})
    return [Measure(kind, planted[kind], found[kind], right[kind]) for kind in kinds]


def table_of_kinds(measures: Iterable[Measure]) -> str:
    """Spell measures, a line a kind."""
    lines = [f"{'kind':<22}{'planted':>9}{'found':>9}{'precision':>11}{'recall':>9}"]
    for each in measures:
        mark = "" if each.is_ok else "  WRONG"
        lines.append(
            f"{each.kind:<22}{each.planted:>9}{each.found:>9}"
            f"{each.precision:>11.4f}{each.recall:>9.4f}{mark}"
        )
    return "\n".join(lines)


def table_of_checks(checks: Iterable[Check]) -> str:
    """Spell checks, a line each."""
    lines = [f"{'what':<52}{'expected':>22}{'found':>22}"]
    for each in checks:
        mark = "ok" if each.is_ok else "WRONG"
        lines.append(f"{each.what:<52}{_short(each.expected):>22}{_short(each.found):>22}  {mark}")
        if not each.is_ok:
            lines += [f"    {line:.400}" for line in differences(each)]
    return "\n".join(lines)


def differences(check: Check) -> list[str]:
    """Say what is missing and what is too much, member by member where there are any.

    >>> differences(Check("", {"a": 1, "b": 2}, {"b": 3, "a": 1}))
    ["expected ('b', 2)", "found    ('b', 3)"]
    """
    expected, found = check.expected, check.found
    if isinstance(expected, dict) and isinstance(found, dict):
        expected, found = list(expected.items()), list(found.items())
    if isinstance(expected, list | set) and isinstance(found, list | set):
        missing = [each for each in expected if each not in found]
        more = [each for each in found if each not in expected]
    else:
        missing, more = [expected], [found]
    return [
        *(f"expected {each!r}" for each in missing[:_EXAMPLES]),
        *(f"found    {each!r}" for each in more[:_EXAMPLES]),
    ]


def _short(value: Any) -> str:
    """Show a value where it fits, otherwise how much it is."""
    if isinstance(value, list | tuple | set | dict):
        return f"{len(value)} of them"
    return f"{value:.4f}" if isinstance(value, float) else str(value)[:22]
