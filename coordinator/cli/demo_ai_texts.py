"""The retrieval data of ``coordinator demo-ai``: office talk, and a few things it is not about.

Each of these has a question that asks for it in other words.
"""

import json
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from coordinator.cli.demo_ai_places import PLACES
from coordinator.cli.demo_ai_values import COMMON

_THINGS: Final = (
    *("the printer on the second floor", "the quarterly invoice run", "our parking permits"),
    *("the meeting room calendar", "the travel expense form", "the laptop replacement plan"),
    *("the release checklist", "the support hotline rota", "the canteen payment terminal"),
    *("the office chairs", "the supplier contract", "the password reset page"),
)
_HAPPENED: Final = (
    *("was moved to next week", "does not work since Monday", "needs another approval"),
    *("will be discussed with the team", "has been updated", "was assigned to a new owner"),
    *("is waiting for a spare part", "got a new template", "was closed without a comment"),
)
_WHY: Final = (
    *("because the budget changed", "after the audit", "as the manager had asked for"),
    *("until somebody signs it", "although nobody complained", "for all departments"),
    *("before the end of the quarter", "without any further delay", "so please be patient"),
)
_NEEDLES: Final = (
    (
        "The lighthouse keeper repaired the fog horn with parts of an old bicycle.",
        "who fixed the fog horn of the lighthouse",
    ),
    (
        "Honey bees dance in figures of eight to tell the hive where the clover blooms.",
        "how do bees tell each other where flowers are",
    ),
    (
        "Sourdough bread rises slowly, since wild yeast wants a whole night in a cool kitchen.",
        "why does sourdough take so long to rise",
    ),
    (
        "The volcano on the island erupted at dawn and covered the harbour with grey ash.",
        "eruption of a volcano near a harbour",
    ),
    (
        "A violin maker waits ten years until the spruce wood is dry enough.",
        "how long must the wood of a violin dry",
    ),
    (
        "Swallows cross the Sahara desert in four nights and rest in oases.",
        "birds that fly over the desert",
    ),
    (
        "The chess grandmaster sacrificed her queen and forced a draw in the final.",
        "chess player gives up the queen",
    ),
    (
        "Astronomers measured the spin of a black hole by the flicker of its X-rays.",
        "how fast does a black hole spin",
    ),
    (
        "The nurse kept the insulin cold in a clay pot full of wet sand.",
        "keeping insulin cool without a fridge",
    ),
    (
        "Whoever wants the key of the allotment garden writes to {} before the first frost.",
        "how do I get the key to the garden",
    ),
)
_BROKEN_EVERY: Final = 997
_PERSONAL_EVERY: Final = 41


class Needle(msgspec.Struct, frozen=True):
    """A row that a question should find: the text is that of the redacted copy."""

    row: int
    text: str
    question: str


class Texts(msgspec.Struct):
    """What is in the file."""

    rows: int
    broken: int
    plants: dict[int, tuple[str, str]]  # row: kind and value
    needles: list[Needle]


def write(path: Path, *, rows: int, seed: int) -> Texts:
    """Write the file, and tell the truth about it."""
    rng = Random(seed)  # noqa: S311 - the same rows each time are what is wanted
    told = Texts(rows=rows, broken=0, plants={}, needles=[])
    usable = [row for row in range(rows) if row % _BROKEN_EVERY]
    places = dict(zip(sorted(rng.sample(usable, len(_NEEDLES))), _NEEDLES, strict=True))
    with path.open("wb") as file:
        for row in range(rows):
            found = places.get(row)
            text = _talk(told, row, rng) if found is None else _needle(told, row, *found, rng)
            line = json.dumps({"id": f"t{row}", "text": text}).encode()
            if not row % _BROKEN_EVERY:
                told.broken += 1
                line = line[:-2]
            file.write(line + b"\n")
    return told


def _needle(told: Texts, row: int, text: str, question: str, rng: Random) -> str:
    address = COMMON["email"](rng)
    if "{}" in text:
        told.plants[row] = ("email", address)
    told.needles.append(Needle(row, text.format("<EMAIL>"), question))
    return text.format(address)


def _talk(told: Texts, row: int, rng: Random) -> str:
    thing = rng.choice(_THINGS)
    text = f"{thing[0].upper()}{thing[1:]} {rng.choice(_HAPPENED)} {rng.choice(_WHY)}."
    if row % _PERSONAL_EVERY == 1 and row % _BROKEN_EVERY:
        kind = rng.choice(tuple(COMMON))
        value = COMMON[kind](rng)
        told.plants[row] = (kind, value)
        text += " " + rng.choice(PLACES[kind][1]).format(value)
    return text
