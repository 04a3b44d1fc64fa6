"""What happens in a run: drawn from the point and the seed, so that both name it for ever.

A scenario leads to its point for sure; everything else about it is left to the seed.
"""

import random
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from coordinator.points import ALL, Point

Shape = Literal["empty", "tiny", "two", "three"]
Goal = Literal["complete", "automatic", "abort", "race", "regret", "expire"]
Declared = Literal["nothing", "tree", "sha256", "wrong-tree", "wrong-sha256"]
Habit = Literal[
    "twice",  # every part is sent twice
    "early",  # completion is asked for before the last chunk is sent
]
Trouble = Literal[
    "flush-opened",  # Redis forgets everything once the upload is open
    "flush-sent",  # and once the chunks are sent and reported
    "gone",  # the multipart is aborted behind our back
    "assembled",  # S3 has assembled, and the answer was lost
    "damaged",  # an object with our token and other bytes stands at the key
    "foreign",  # somebody else's object stands at the key
    "swapped",  # the object is replaced while it waits to be read
    "orphan",  # a multipart under our prefix that no row knows
]

FILES: Final = 4  # at most this many are uploaded until the point was passed often enough


class Crash(msgspec.Struct, frozen=True):
    """kill -9 when ``point`` is passed for the ``nth`` time in one process."""

    point: Point
    nth: int


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One run: the crash that it is about, what leads to it, and later ones after restarts."""

    point: Point
    seed: int
    crashes: tuple[Crash, ...]
    main: int  # so many crashes, and the one that it is about has happened
    shape: Shape
    goal: Goal
    declared: Declared
    declares_late: bool  # at complete, not at init
    has_key: bool  # an Idempotency-Key
    reports: bool
    at_once: int  # as many requests of a kind at the same time
    troubles: tuple[Trouble | Habit, ...]

    @property
    def finds_again(self) -> bool:
        """Whether init finds an upload whose answer was lost."""
        return self.has_key or (self.declared != "nothing" and not self.declares_late)

    @property
    def is_lie(self) -> bool:
        """Whether the declared checksum is not the file's."""
        return self.declared.startswith("wrong")


_EVENLY: Final = (True, False)
_SELDOM: Final = (False, False, True)

# What a scenario must have to lead to its point: one of these, by the seed.
_Needs = Mapping[str, Any]
_PLAIN: Final[_Needs] = {"goal": ("complete", "automatic"), "declared": ("nothing", "tree")}
_HASHING: Final[_Needs] = {
    "shape": ("two",),
    "goal": ("complete", "automatic"),
    "declared": ("sha256", "sha256", "wrong-sha256"),
    "declares_late": (False,),
}
_ENDED: Final[tuple[_Needs, ...]] = ({"goal": ("abort",)}, {"goal": ("expire",)})
_TOLERANT: Final = ("flush-opened", "flush-sent", "twice", "early", "orphan")

_LEADS: Final[Mapping[Point, tuple[_Needs, ...]]] = {
    "multipart-lost-race": ({"at_once": (3, 4), "has_key": (True,)},),
    "signed": ({"goal": ("complete", "automatic", "race", "regret")},),
    "proven": (
        {**_PLAIN, "troubles": (("assembled",),)},
        {**_PLAIN, "before": ("after-complete",)},
        {"goal": ("regret",), "declared": ("nothing", "tree"), "before": ("after-complete",)},
    ),
    "awaiting-hash": (_HASHING,),
    "hashing": (_HASHING,),
    "hashed": (_HASHING,),
    "reopened": (
        {**_PLAIN, "goal": ("complete",), "troubles": (("early",), ("gone",), ("foreign",))},
    ),
    "multipart-aborted": _ENDED,
    "leftovers-gone": _ENDED,
    "failed": (*_ENDED, {**_HASHING, "declared": ("wrong-sha256",)}),
    "object-deleted": (
        {**_PLAIN, "troubles": (("damaged",),)},
        {**_HASHING, "goal": ("complete",), "declared": ("sha256",), "troubles": (("swapped",),)},
    ),
    "auto-sealed": ({**_PLAIN, "goal": ("automatic",)},),
    "orphan-aborted": ({"troubles": (("orphan",),)},),
    **dict.fromkeys(
        (
            "compared",
            "before-complete",
            "after-complete",
            "manifest-put",
            "completed",
            "job-started",
            "job-done",
        ),
        (_PLAIN, {**_PLAIN, "declared": ("sha256",)}),
    ),
}


def scenario(point: Point, seed: int) -> Scenario:
    """Draw the run that ``point`` and ``seed`` name."""
    dice = random.Random(f"{point} {seed}")
    leads = _LEADS.get(point, ({},))
    needs = leads[seed % len(leads)]

    def choose(name: str, *usual: Any) -> Any:
        return dice.choice(needs.get(name, usual))

    goal = choose("goal", "complete", "complete", "automatic", "abort", "race", "regret", "expire")
    troubles = set(choose("troubles", ()))
    troubles |= set(dice.sample(_TOLERANT, dice.choice((0, 0, 1, 2))))
    if goal == "complete" and not troubles and "troubles" not in needs:
        troubles |= set(dice.choice(((), (), ("gone",), ("damaged",), ("foreign",))))
    return Scenario(
        point=point,
        seed=seed,
        crashes=_crashes(dice, point, needs),
        main=len(needs.get("before", ())) + 1,
        shape=choose("shape", *(["tiny"] * 8), "empty", "two", "three"),
        goal=goal,
        declared=choose("declared", "nothing", "tree", "sha256", "wrong-tree", "wrong-sha256"),
        declares_late=goal != "automatic" and choose("declares_late", *_SELDOM),
        has_key=choose("has_key", *_EVENLY),
        reports=goal == "automatic" or choose("reports", *_EVENLY),
        at_once=choose("at_once", 1, 1, 2, 3),
        troubles=tuple(sorted(troubles)),
    )


def _crashes(dice: random.Random, point: Point, needs: _Needs) -> tuple[Crash, ...]:
    before = [Crash(each, 1) for each in needs.get("before", ())]
    nth = 1 if before else dice.choice((1, 1, 1, 2))
    later = [Crash(dice.choice(ALL), 1) for _ in range(dice.choice((0, 0, 0, 1, 1, 2)))]
    return (*before, Crash(point, nth), *later)
