"""People's names, by a spaCy model: only where one is installed, for none comes with the project.

A model reads some 20 KB of text a second on one core: every text goes through it.
"""

from functools import lru_cache
from typing import Any, Final

_LABELS: Final = frozenset({"PERSON", "PER"})

# Longer texts are read in parts: a model takes a gigabyte of memory for a megabyte of text.
_PART: Final = 20_000


def installed_model() -> str | None:
    """Return the name of the spaCy model to use, the first by name; ``None`` without one.

    A model says that it is one by an entry point. spaCy itself is not imported for the question.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415

    return min((each.name for each in entry_points(group="spacy_models")), default=None)


class Names:
    """Finds names. Without a model it finds none."""

    def __init__(self) -> None:
        model = installed_model()
        self._read = None if model is None else _loaded(model)

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return where people are named."""
        if self._read is None or not any(map(str.isalpha, text)):
            return []
        found = []
        for start in range(0, len(text), _PART):
            found += [
                (start + entity.start_char, start + entity.end_char)
                for entity in self._read(text[start : start + _PART]).ents
                if entity.label_ in _LABELS
            ]
        return found


@lru_cache(maxsize=2)
def _loaded(model: str) -> Any:
    import spacy  # noqa: PLC0415  # takes a second

    return spacy.load(model)
