"""Settings that hold JSON, or the path of a file that does."""

from pathlib import Path
from typing import Literal

from coordinator.settings import PREFIX, SettingsError


def text_of(name: str, value: str, *, shape: Literal["list", "object"] = "list") -> str:
    """Return the JSON of the setting ``name``, wherever it stands; nothing for nothing.

    ``shape``: what it should be, for the message. Whether it is, its parser says.

    Raises:
        SettingsError: it is the path of no file that can be read.

    """
    text = value.strip()
    if not text or text.startswith(("[", "{")):
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise SettingsError(
            f"{PREFIX}{name.upper()}: it is no JSON {shape}, and no file that can be read "
            f"({type(exc).__name__})."
        ) from None
