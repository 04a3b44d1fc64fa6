"""The embedder that settings name: what makes vectors of texts, for jobs and for searches.

Rule: vectors are compared only within one ``name`` and one number of dimensions.
"""

import struct
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from coordinator.adapters.setting_text import text_of
from coordinator.domain.embedders import (
    EmbedderSetting,
    EmbedderSettingError,
    EndpointSetting,
    LocalSetting,
    parse_embedder,
)
from coordinator.settings import SettingsError

SETTING: Final = "COORDINATOR_EMBEDDINGS"

# Of a longer text this much is embedded: a model reads some 8,000 tokens.
LONGEST: Final = 6_000

_NEEDED: Final = ("numpy", "safetensors", "tokenizers")


class EmbedderAwayError(Exception):
    """The embedder gives no vectors now. Trying again later may help."""


class EmbedderRefusedError(Exception):
    """The embedder will give no vectors, however often it is asked. A fixed sentence says why."""


class Embedder(Protocol):
    """Makes vectors. Blocks; threads may share one."""

    name: str

    def embed(
        self, texts: Sequence[str], *, tick: Callable[[], None] = lambda: None
    ) -> list[bytes | None]:
        """Return a vector a text, of length 1; ``None``: the text has nothing in it to embed.

        Packed: little-endian half floats, see :func:`numbers`. ``tick`` is called while it takes
        long, and may raise.

        Raises:
            EmbedderAwayError: later perhaps.
            EmbedderRefusedError: never.

        """

    def close(self) -> None:
        """Close connections, if there are any."""


def dimensions(vector: bytes) -> int:
    """Return how many numbers a packed vector has."""
    return len(vector) // 2


def numbers(vector: bytes) -> tuple[float, ...]:
    """Unpack a vector.

    >>> numbers(bytes.fromhex("003c00b8"))
    (1.0, -0.5)
    """
    return struct.unpack(f"<{dimensions(vector)}e", vector)


def read_embedder(setting: str) -> EmbedderSetting | None:
    """Read ``COORDINATOR_EMBEDDINGS``: a JSON object, the path of a file with one, or nothing.

    Raises:
        SettingsError: it cannot be used; the message names the member and says what to do.

    """
    text = text_of("embeddings", setting, shape="object")
    if not text:
        return None
    try:
        found = parse_embedder(text)
        if isinstance(found, LocalSetting):
            _check_local(found)
    except EmbedderSettingError as exc:
        raise SettingsError(f"{SETTING}: {exc}") from None
    return found


def secrets_of(setting: EmbedderSetting | None) -> set[str]:
    """Return what no log may show."""
    return {setting.api_key} - {""} if isinstance(setting, EndpointSetting) else set()


def open_embedder(setting: EmbedderSetting, *, patience_s: float) -> Embedder:
    """Open what the setting names; close it afterwards.

    ``patience_s``: for how long an endpoint that does not answer is asked again.

    Raises:
        EmbedderRefusedError: the model cannot be read.

    """
    # Each needs libraries that the other can do without.
    if isinstance(setting, EndpointSetting):
        from coordinator.adapters.embedding_endpoint import Endpoint  # noqa: PLC0415

        return Endpoint(setting, patience_s=patience_s)
    from coordinator.adapters.static_model import load  # noqa: PLC0415

    return load(setting)


def _check_local(setting: LocalSetting) -> None:
    needed = [*_NEEDED, *(["wordllama"] if setting.model else [])]
    if missing := [name for name in needed if find_spec(name) is None]:
        raise EmbedderSettingError(
            f"kind: local models need {', '.join(missing)}: install upload-coordinator[models]."
        )
    folder = Path(setting.path)
    if setting.path and not (folder / "tokenizer.json").is_file():
        raise EmbedderSettingError("path: it is no folder with a tokenizer.json.")
    if setting.path and len(list(folder.glob("*.safetensors"))) != 1:
        raise EmbedderSettingError("path: the folder must have one .safetensors file.")
