"""Which text a row stands for: a column, the conversation in it, or the line itself."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from coordinator.jobs.rows_results import Broken, Row

MESSAGES: Final = "messages"  # of a conversation, as chat models are trained on

_SAMPLED_ROWS: Final = 1_000
_SAMPLED_CHARACTERS: Final = 16 * 1024 * 1024


def find_column(rows: Iterable[Row | Broken]) -> str | None:
    """Return the column with the longest texts in the first rows; ``None``: none has any.

    >>> find_column([Row(0, {"id": "a-1", "text": "A longer one", "rank": 10_000_000_000_000})])
    'text'

    Of columns with equally long texts the first by name. A row without counts as an empty text.
    """
    characters: dict[str, int] = defaultdict(int)
    for number, row in enumerate(rows):
        if number >= _SAMPLED_ROWS or sum(characters.values()) >= _SAMPLED_CHARACTERS:
            break
        if isinstance(row, Row) and isinstance(row.value, dict):
            for name in row.value:
                characters[name] += len(text_of(row.value, name) or "")
    longest = max(characters.values(), default=0)
    return min((name for name, count in characters.items() if count == longest > 0), default=None)


def text_of(value: Any, column: str | None) -> str | None:
    r"""Return a row's text; ``None``: it has none, or nothing but spaces.

    >>> text_of({"messages": [{"role": "user", "content": "Hi"}, {"content": "Ho"}]}, "messages")
    'Hi\nHo'
    """
    found = value
    if isinstance(value, dict):
        found = None if column is None else value.get(column)
        if column == MESSAGES and isinstance(found, list):
            found = "\n".join(text for each in found for text in _contents(each))
    if not isinstance(found, str) or not found.strip():
        return None
    # Half a surrogate pair is JSON, and nothing that could be sent or stored.
    return found.encode("utf-8", "replace").decode() if not found.isascii() else found


def _contents(message: Any) -> list[str]:
    """Return the texts of one message: its content, or those among the parts of it."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]
