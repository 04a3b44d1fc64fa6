r"""Looks for all shapes of all kinds in one pass over raw bytes, by hyperscan.

A prefilter: what it finds may be nothing, but where it finds nothing there is nothing. It knows no
boundaries (``\n`` before a number ends in a letter as long as the JSON is not parsed), and words
near which unsure shapes count are looked for without theirs.

Rule: a hyperscan database serves one scan at a time, so each thread has its own. None is pickled.
"""

import re
import threading
from typing import Final

import msgspec

from coordinator.domain import pii_kinds as kinds
from coordinator.jobs.pii_shapes import FIRST, SHAPES

# Characters for which judges know only the ASCII ones: digits of other scripts, spaces and hyphens
# of typography. Each stands for one, so places in the text stay what they are.
_DIGITS: Final = (0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xC66, 0xE50, 0xFF10)
_SPACES: Final = (0xA0, 0x2007, 0x2008, 0x2009, 0x200A, 0x202F, 0x3000)
_HYPHENS: Final = (0x2010, 0x2011, 0x2012, 0x2013, 0x2212, 0xFE63, 0xFF0D)
_FULL_WIDTH: Final = range(0xFF01, 0xFF5F)
PLAIN: Final = {
    **{code: chr(code - 0xFEE0) for code in _FULL_WIDTH},
    **{zero + digit: str(digit) for zero in _DIGITS for digit in range(10)},
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_HYPHENS, "-"),
}
_PLAIN_ENDS: Final = "|".join(
    sorted({re.escape(chr(code).encode()[:-1].decode("latin-1")) for code in PLAIN})
)

_DIGIT_FIRST: Final = re.compile(r"(?:\(\?:)?(?:[0-9]|\[[0-9-]+\])")

# In JSON, any character may hide behind \u, and a slash behind \/.
_ESCAPED: Final = r"\\[u/]"

# So many digits stand in each unsure shape that has nothing else.
_DIGITS_ALONE: Final = r"[0-9](?:[ ().:\x2f+-]{0,2}[0-9]){6}"

_SURE, _UNSURE, _WORDS = 1, 2, 3
_FOREIGN_ID: Final = 0
_ESCAPED_ID: Final = 1
_DIGITS_ID: Final = 2


class Seen(msgspec.Struct, frozen=True):
    """What kinds may stand in a text."""

    kinds: tuple[tuple[str, bool], ...] = ()
    """And whether their unsure shapes may count."""

    is_foreign: bool = False
    """Characters that ``PLAIN`` translates may be there: look again in the translated text."""

    is_escaped: bool = False
    """If it is JSON, characters may be there that were not seen: look again when it is parsed."""


NOTHING: Final = Seen()


class Prefilter:
    """A hyperscan database of the chosen kinds. One thread's own."""

    def __init__(self, chosen: tuple[str, ...]) -> None:
        import hyperscan  # noqa: PLC0415  # not before it is needed: its library is large

        self._chosen = chosen
        expressions, flags, ids = [], [], []
        for body, flag, number in _expressions(chosen):
            expressions.append(body.encode("latin-1"))
            flags.append(
                hyperscan.HS_FLAG_SINGLEMATCH
                | hyperscan.HS_FLAG_DOTALL
                | (hyperscan.HS_FLAG_CASELESS if flag else 0)
            )
            ids.append(number)
        self._database = hyperscan.Database()
        self._database.compile(expressions=expressions, ids=ids, elements=len(ids), flags=flags)
        self._scan = self._database.scan
        self._found: list[int] = []
        self._known: dict[frozenset[int], Seen] = {frozenset(): NOTHING}

    def look(self, data: bytes) -> Seen:
        """Say what may stand in these bytes."""
        found = self._found
        found.clear()
        self._scan(data, match_event_handler=self._on_match)
        if not found:
            return NOTHING
        key = frozenset(found)
        seen = self._known.get(key)
        if seen is None:
            seen = self._known[key] = self._meaning(key)
        return seen

    def _on_match(self, number: int, _start: int, _end: int, _flags: int, _: object) -> None:
        self._found.append(number)

    def _meaning(self, found: frozenset[int]) -> Seen:
        seen = []
        digits = _DIGITS_ID in found
        for place, kind in enumerate(self._chosen, start=1):
            sure, unsure, words = (place * 4 + part in found for part in (_SURE, _UNSURE, _WORDS))
            unsure = unsure or (digits and _has_digits_alone(kind))
            if sure or (unsure and words):
                seen.append((kind, unsure and words))
        return Seen(tuple(seen), _FOREIGN_ID in found, _ESCAPED_ID in found)


def prefilter(chosen: tuple[str, ...]) -> Prefilter:
    """Return this thread's prefilter for these kinds, compiled when it is first asked for."""
    known: dict[tuple[str, ...], Prefilter] = _threads.__dict__.setdefault("known", {})
    if chosen not in known:
        known[chosen] = Prefilter(chosen)
    return known[chosen]


_threads: Final = threading.local()


def _expressions(chosen: tuple[str, ...]) -> list[tuple[str, bool, int]]:
    """List body, whether case is nothing to it, and the number of each expression."""
    found = [
        (_PLAIN_ENDS, False, _FOREIGN_ID),
        (_ESCAPED, False, _ESCAPED_ID),
        (_DIGITS_ALONE, False, _DIGITS_ID),
    ]
    for place, kind in enumerate(chosen, start=1):
        if kind == kinds.NAME:
            continue
        shapes = SHAPES[kind]
        sure = shapes.hints or map(_guarded, shapes.sure)
        found += [(body, shapes.caseless, place * 4 + _SURE) for body in sure]
        unsure = (body for body in shapes.unsure if not _is_digits(body))
        found += [(body, shapes.caseless, place * 4 + _UNSURE) for body in unsure]
        if shapes.words:
            found.append((_loose(shapes.words), True, place * 4 + _WORDS))
    return found


def _guarded(body: str) -> str:
    if not _DIGIT_FIRST.match(body):
        return body
    return f"{FIRST}(?:{body})"


def _has_digits_alone(kind: str) -> bool:
    return kind in SHAPES and any(map(_is_digits, SHAPES[kind].unsure))


def _is_digits(body: str) -> bool:
    return "Z" not in body and "z" not in body and "d]" not in body


def _loose(words: str) -> str:
    r"""Find words in raw bytes, too, where camelCase, a hyphen or \t may part them.

    >>> _loose(r"\btax ?id|social sec")
    'tax.{0,2}id|social.{0,2}sec'

    """
    return words.replace(r"\b", "").replace(" ?", " ").replace(" ", ".{0,2}")
