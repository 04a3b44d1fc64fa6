"""The training data of ``coordinator demo-ai``, and the truth about it: row by row, from a seed.

A row's number counts what is not blank, from 0 on. Nothing of the rows is random but by the seed.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from coordinator.cli.demo_ai_places import MAKERS, PLACES, decoy

SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "label", "score", "text"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "label": {"enum": ["positive", "neutral", "negative"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "text": {"type": "string", "minLength": 1},
        "created": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "source": {"type": "object"},
        "contact": {"type": "object"},
    },
}

_LABELS: Final = ("positive", "neutral", "negative")
_WORDS: Final = (
    *("the", "delivery", "came", "late", "and", "nobody", "answered", "while", "our"),
    *("screen", "stayed", "dark", "until", "a", "friendly", "colleague", "found", "that"),
    *("one", "cable", "was", "loose", "so", "we", "thank", "your", "team"),
    *("had", "cost", "us", "more", "than", "two", "whole", "working", "days", "before"),
    *("had", "cost", "us", "more", "than", "two", "whole", "working", "days", "before"),
)

# Three ways to write the same row.
_SPACED: Final = json.JSONEncoder(ensure_ascii=False).encode
_DENSE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ESCAPED: Final = json.JSONEncoder().encode
_WRITERS: Final = (*[_SPACED] * 6, _DENSE, _ESCAPED)

_BLANK_EVERY: Final = 9_973
_REMEMBERED: Final = 2_000

_PLAIN, _PERSONAL, _DECOY, _BROKEN, _INVALID, _REPEATED = range(6)
_SHARES: Final = {_PERSONAL: 0.12, _DECOY: 0.15, _BROKEN: 0.005, _INVALID: 0.01, _REPEATED: 0.02}


class Plant(msgspec.Struct, frozen=True):
    """One value of personal data: its kind, its column, and how it is written there."""

    kind: str
    column: str
    value: str


class Truth(msgspec.Struct):
    """What is in the file."""

    rows: int = 0
    plants: dict[int, tuple[Plant, ...]] = {}
    decoys: int = 0
    broken: dict[int, str] = {}  # row: how it is broken
    invalid: dict[int, tuple[str, str]] = {}  # row: where it violates the schema, and what of it
    repeated: dict[int, int] = {}  # row: the earlier one that it repeats
    ids: set[int] = set()  # of rows that are objects

    def counts(self) -> Counter[tuple[str, str]]:
        """Count plants by kind and column."""
        return Counter(
            (each.kind, each.column) for plants in self.plants.values() for each in plants
        )


def write(path: Path, *, rows: int, seed: int) -> Truth:
    """Write the file, and tell the truth about it."""
    truth = Truth(plants={}, broken={}, invalid={}, repeated={}, ids=set())
    with path.open("wb") as file:
        for line in _Rows(rows, seed, truth).lines():
            file.write(line + b"\n")
    return truth


class _Rows:
    """Makes one row after the other."""

    def __init__(self, rows: int, seed: int, truth: Truth) -> None:
        self._rows = rows
        self._rng = Random(seed)  # noqa: S311 - the same rows each time are what is wanted
        self._truth = truth
        self._kinds = list(MAKERS)
        self._planted = 0
        self._done: list[tuple[int, bytes]] = []

    def lines(self) -> Iterator[bytes]:
        """Yield all lines."""
        shares = list(_SHARES.values())
        sorts = [*_SHARES, _PLAIN]
        weights = [*shares, 1 - sum(shares)]
        for number in range(self._rows):
            if number % _BLANK_EVERY == _BLANK_EVERY - 1:
                yield b""
            (sort,) = self._rng.choices(sorts, weights)
            yield self._line(number, sort)
        self._truth.rows = self._rows

    def _line(self, number: int, sort: int) -> bytes:
        if sort == _REPEATED and self._done:
            return self._repeated(number)
        if sort == _BROKEN:
            return self._broken(number)
        row = self._row(number)
        if sort == _INVALID:
            self._violate(number, row)
        elif sort == _PERSONAL:
            self._plant(number, row)
        elif sort == _DECOY:
            row["text"] += " " + decoy(self._rng)
            self._truth.decoys += 1
        self._truth.ids.add(number)
        line = self._spelled(row)
        if sort != _INVALID:
            self._remember(number, line)
        return line

    def _row(self, number: int) -> dict[str, Any]:
        rng = self._rng
        words = " ".join(rng.choices(_WORDS, k=rng.randint(8, 30)))
        number_of = rng.getrandbits(40)
        return {
            "id": number,
            "label": _LABELS[number_of % 3],
            "score": number_of % 1001 / 1000,
            "text": f"{words.capitalize()}.",
            "created": f"202{number_of % 6}-0{number_of % 9 + 1}-1{number_of % 10}T08:00:00Z",
            "tags": ["billing", "eu", "mobile", "beta", "vip"][number_of % 7 :],
            "source": {
                "order": f"ORD-24{number_of % 3 + 10}{number_of % 28 + 1:02}-{number_of % 9999:04}",
                "release": f"{number_of % 9 + 1}.{number_of % 21}.{number_of % 10}",
                "at": 1_600_000_000_000 + number_of % 10**11,
            },
        }

    def _spelled(self, row: dict[str, Any]) -> bytes:
        """Write it as one of three writers would."""
        return self._rng.choice(_WRITERS)(row).encode()

    def _kind(self) -> str:
        self._planted += 1
        return self._kinds[self._planted % len(self._kinds)]

    def _plant(self, number: int, row: dict[str, Any]) -> None:
        """Plant one value, and now and then a second one of another kind."""
        rng = self._rng
        plants = [self._planted_in(row, self._kind())]
        if rng.random() < 0.1:  # noqa: PLR2004
            plants.append(self._planted_in(row, self._kind()))
        if rng.random() < 0.3:  # noqa: PLR2004
            row["text"] += " " + decoy(rng)
            self._truth.decoys += 1
        self._truth.plants[number] = tuple(plants)

    def _planted_in(self, row: dict[str, Any], kind: str) -> Plant:
        rng = self._rng
        value, (field, sentences) = MAKERS[kind](rng), PLACES[kind]
        match rng.randrange(10):
            case 0 | 1 | 2:
                row.setdefault("contact", {})[field] = value
                return Plant(kind, f"/contact/{field}", value)
            case 3:
                row["tags"] = [*row["tags"], rng.choice(sentences).format(value)]
                return Plant(kind, "/tags/*", value)
            case _:
                row["text"] += " " + rng.choice(sentences).format(value)
                return Plant(kind, "/text", value)

    def _violate(self, number: int, row: dict[str, Any]) -> None:
        match self._rng.randrange(5):
            case 0:
                del row["label"]
                self._truth.invalid[number] = ("", "required")
            case 1:
                row["score"] = 1 + self._rng.randint(1, 900) / 100
                self._truth.invalid[number] = ("/score", "maximum")
            case 2:
                row["label"] = "unknown"
                self._truth.invalid[number] = ("/label", "enum")
            case 3:
                row["text"] = ""
                self._truth.invalid[number] = ("/text", "minLength")
            case _:
                row["extra"] = "not asked for"
                self._truth.invalid[number] = ("", "additionalProperties")

    def _broken(self, number: int) -> bytes:
        """Break a row in one of six ways; in some of them something personal stands, too."""
        rng = self._rng
        row = self._row(number)
        if rng.random() < 0.2:  # noqa: PLR2004
            kind = rng.choice(("email", "iban", "us_ssn"))
            value = MAKERS[kind](rng)
            row["text"] = f"{rng.choice(PLACES[kind][1]).format(value)} {row['text']}"
            self._truth.plants[number] = (Plant(kind, "", value),)
        whole = json.dumps(row)
        way = rng.randrange(6)
        self._truth.broken[number] = ("not-an-object", "wrong-encoding", "not-json")[min(way, 2)]
        match way:
            case 0:
                return json.dumps([row["text"], number]).encode()
            case 1:
                return whole.encode().replace(b'"created"', b'"cr\xe9\xe9"')
            case 2:
                return whole[: len(whole) - rng.randint(2, 20)].encode()
            case 3:
                return whole.replace('"', "'").encode()
            case 4:
                return f"{whole} {{".encode()
            case _:
                return f"2024-01-01 ERROR {row['text']}".encode()

    def _repeated(self, number: int) -> bytes:
        earlier, line = self._rng.choice(self._done)
        self._truth.repeated[number] = earlier
        if earlier in self._truth.plants:
            self._truth.plants[number] = self._truth.plants[earlier]
        return line

    def _remember(self, number: int, line: bytes) -> None:
        if len(self._done) < _REMEMBERED:
            self._done.append((number, line))
        else:
            self._done[self._rng.randrange(_REMEMBERED)] = (number, line)
