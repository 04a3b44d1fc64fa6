"""Finds personal data in one text: the prefilter says what to look for, the judges what it is.

Rule: with or without the prefilter the same is found; a test says so of any text.
"""

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from coordinator.domain import pii_kinds as kinds
from coordinator.jobs.pii_candidates import Span, cutter, emails, ibans, ips
from coordinator.jobs.pii_judges import REGIONS, judge, phones
from coordinator.jobs.pii_names import Names
from coordinator.jobs.pii_patterns import PLAIN, Prefilter, Seen
from coordinator.jobs.pii_shapes import SHAPES

# A word says what a number is if it stands so near, before or after it.
_BEFORE: Final = 50
_AFTER: Final = 20

_RANK: Final = {kind: rank for rank, kind in enumerate(kinds.KINDS)}
_PLACEHOLDERS: Final = re.compile("|".join(map(kinds.placeholder, kinds.KINDS)))
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PARTING: Final = str.maketrans("_-", "  ")

# No kind is written without one of these.
_TELLING: Final = re.compile(r"[0-9@]")

_VERSION: Final = re.compile(r"(?:version|\bver\b|release|build|firmware|revision|\bv)\W{0,3}$")
_DATE: Final = re.compile(
    r"[0-3]?[0-9]([./-])[0-3]?[0-9]\1(?:(?:19|20)[0-9]{2}(?![0-9])|[0-9]{2}\Z)"
)
_ROW_OF_NUMBERS: Final = re.compile(r"[0-9]+ ")
_FLOAT: Final = re.compile(r"[0-9]+[.][0-9]+")
_EXTENSION: Final = re.compile(r" ?(?:x|ext[.]?) ?[0-9]{1,6}(?![0-9])")
_YEARS: Final = re.compile(r"(?:19|20)[0-9]{2}([ -])(?:19|20)[0-9]{2}\1(?:19|20)[0-9]{2}")
_SHORT_IP6: Final = re.compile(r"[0-9A-Fa-f]{1,2}::[0-9A-Fa-f]{0,4}|[A-Fa-f:]+")
_TRUNK_DIGITS: Final = range(9, 15)
_KNOWN_COLUMNS: Final = 20_000


class Finding(NamedTuple):
    """A place in a text, and what stands there."""

    kind: str
    start: int
    end: int


class Finder:
    """Looks for the chosen kinds. One thread's own."""

    def __init__(self, chosen: tuple[str, ...], regions: tuple[str, ...] = ()) -> None:
        self.chosen = chosen
        self.prefilter = Prefilter(chosen)
        self._regions = tuple(dict.fromkeys((*REGIONS, *regions)))
        self._all = Seen(tuple((kind, True) for kind in chosen if kind in SHAPES))
        self._names = Names() if kinds.NAME in chosen else None
        self._words = {
            kind: re.compile(SHAPES[kind].words, re.ASCII)
            for kind in chosen
            if kind in SHAPES and SHAPES[kind].words
        }
        self._sure = {k: _cutter(k, is_sure=True) for k in chosen if k in SHAPES}
        self._unsure = {k: _cutter(k, is_sure=False) for k in self._words}
        self._columns: dict[tuple[str, str], bool] = {}

    def find(self, text: str, column: str, seen: Seen) -> list[Finding]:
        """Return what stands in the text, in order, none within another."""
        found: list[Finding] = []
        told: dict[Span, tuple[int, Finding]] = {}
        for kind, unsure in seen.kinds if _TELLING.search(text) else ():
            sure = self._sure_spans(kind, text, column)
            found += [Finding(kind, *span) for span in sure]
            for gap, span in self._told_spans(kind, text, column, sure) if unsure else ():
                # Of two kinds that a number may be, the nearer word says which.
                if span not in told or gap < told[span][0]:
                    told[span] = gap, Finding(kind, *span)
        found += [finding for _, finding in told.values()]
        if self._names is not None:
            found += [Finding(kinds.NAME, *span) for span in self._names.find(text)]
        return _apart(found) if len(found) > 1 else found

    def find_fully(self, text: str, column: str = "") -> list[Finding]:
        """Find as ``find`` does, but look for everything: no prefilter says what is not there."""
        return self.find(text if text.isascii() else text.translate(PLAIN), column, self._all)

    @property
    def looks_at_all(self) -> bool:
        """Whether no text may be passed over: names have no shape."""
        return self._names is not None

    def _sure_spans(self, kind: str, text: str, column: str) -> list[Span]:
        done: set[Span] = set()
        sure: list[Span] = []
        for span in self._sure[kind](text):
            if span not in done:
                done.add(span)
                sure += self._judged(kind, text, span, column, is_sure=True)
        return sure

    def _told_spans(
        self, kind: str, text: str, column: str, sure: list[Span]
    ) -> Iterator[tuple[int, Span]]:
        """Yield those that a word says to be of the kind, and how far from it each stands."""
        for span in self._unsure[kind](text) if kind in self._unsure else ():
            # It would take what stands behind a sure one for a part of it.
            if any(start < span[1] and span[0] < end for start, end in sure):
                continue
            told = max((end for _, end in sure if end <= span[0]), default=0)
            gap = self._gap(kind, text, span, column, told=told)
            if gap is not None:
                for judged in self._judged(kind, text, span, column, is_sure=False):
                    yield gap, judged

    def _judged(
        self, kind: str, text: str, span: Span, column: str, *, is_sure: bool
    ) -> Iterator[Span]:
        start, end = span
        candidate = text[start:end]
        if kind == kinds.PHONE:
            if _ROW_OF_NUMBERS.match(candidate) and text[max(0, start - 2) : start - 1].isdigit():
                return
            for first, last in self._phones(candidate, is_sure=is_sure):
                if first > 1:
                    continue
                extension = _EXTENSION.match(text, start + last)
                yield start + first, extension.end() if extension else start + last
            return
        if kind == kinds.IP and _is_no_address(candidate, text[max(0, start - 12) : start], column):
            return
        if kind == "in_aadhaar" and _YEARS.fullmatch(candidate):
            return
        for first, last in judge(kind)(candidate):
            yield start + first, start + last

    def _gap(self, kind: str, text: str, span: Span, column: str, *, told: int) -> int | None:
        """Say how far the word stands that tells what the number is. None: there is none.

        What stands before ``told`` tells of another number, and so does what a placeholder ends.
        """
        start, end = span
        mark = kinds.placeholder(kind)
        place = text.rfind(mark, max(0, start - _BEFORE - len(mark)), start)
        first = max(told, start - _BEFORE, place + len(mark) if place >= 0 else 0)
        words = self._words[kind]
        before, after = _plain(text[first:start]), _plain(text[end : end + _AFTER])
        last = max((found.end() for found in words.finditer(before)), default=None)
        if last is not None:
            return len(before) - last
        found = words.search(after)
        if found is not None:
            return _BEFORE + found.start()
        return _BEFORE + _AFTER if self._is_named(kind, column) else None

    def _is_named(self, kind: str, column: str) -> bool:
        key = (kind, column)
        named = self._columns.get(key)
        if named is None:
            if len(self._columns) > _KNOWN_COLUMNS:
                self._columns.clear()
            named = self._columns[key] = self._words[kind].search(_plain(column)) is not None
        return named

    def _phones(self, candidate: str, *, is_sure: bool) -> list[Span]:
        """Ask for the countries whose numbers are written so; the first that knows it is enough."""
        if _DATE.match(candidate) or _FLOAT.fullmatch(candidate):
            return []
        digits = sum(map(str.isdigit, candidate))
        if candidate.startswith("+"):
            return phones("US", 0)(candidate)
        if not is_sure:
            return self._first(self._regions, candidate) or (
                [(0, len(candidate))] if phones("US", 1)(f"+{candidate}") else []
            )
        if candidate.startswith(("0", "(0")):
            return self._first(self._regions[1:], candidate) if digits in _TRUNK_DIGITS else []
        area = candidate.lstrip("1 .-(")[:3]
        if "(" in candidate or area == "555":
            return self._first(("US", "BR"), candidate, leniency=0)
        return self._first(("US", "BR"), candidate)

    @staticmethod
    def _first(regions: tuple[str, ...], candidate: str, *, leniency: int = 1) -> list[Span]:
        for region in regions:
            found = phones(region, leniency)(candidate)
            if found:
                return found
        return []


def finder(chosen: tuple[str, ...], regions: tuple[str, ...] = ()) -> Finder:
    """Return this thread's finder, made when it is first asked for."""
    known: dict[object, Finder] = _threads.__dict__.setdefault("known", {})
    key = (chosen, regions)
    if key not in known:
        known[key] = Finder(chosen, regions)
    return known[key]


_threads: Final = threading.local()


def _cutter(kind: str, *, is_sure: bool) -> Callable[[str], Iterator[Span]]:
    if kind == kinds.EMAIL:
        return emails
    if kind == kinds.IBAN:
        return ibans
    if kind == kinds.IP:
        return ips
    shapes = SHAPES[kind]
    bodies = shapes.sure if is_sure else shapes.unsure
    return cutter(kind, bodies, caseless=shapes.caseless)


def _plain(text: str) -> str:
    """Write words as they are looked for: in lower case, a space between any two."""
    return _CAMEL.sub(" ", _PLACEHOLDERS.sub("", text)).lower().translate(_PARTING)


def _is_no_address(candidate: str, before: str, column: str) -> bool:
    """Say whether it is a version, a slice or a scope of a programming language."""
    if ":" in candidate:
        return _SHORT_IP6.fullmatch(candidate) is not None
    return bool(_VERSION.search(before.lower()) or "version" in column.lower())


def _apart(found: list[Finding]) -> list[Finding]:
    """Of findings that overlap keep the one whose kind comes first, then the first and longest."""
    kept: list[Finding] = []
    for each in sorted(found, key=lambda f: (_RANK[f.kind], f.start, -f.end)):
        place = bisect_right(kept, each.start, key=lambda f: f.start)
        before_is_free = place == 0 or kept[place - 1].end <= each.start
        if before_is_free and (place == len(kept) or kept[place].start >= each.end):
            kept.insert(place, each)
    return kept
