"""Models that are a table, a vector a token: WordLlama's, Model2Vec's. Nothing is ever downloaded.

A text's vector is the mean of its tokens' vectors. WordLlama's own loader looks for its tokenizer
where its wheel does not have it and goes to the network then; and padding makes it take the memory
of the longest text for each: so its files are read here.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from typing_extensions import override

from coordinator.adapters.embedders import LONGEST, Embedder, EmbedderRefusedError
from coordinator.domain.embedders import MAX_DIMENSIONS, LocalSetting

_WORDLLAMA: Final = "l2_supercat"
_TABLE_AXES: Final = 2


class _Files(NamedTuple):
    name: str
    weights: Path
    tokenizer: Path


class StaticModel(Embedder):
    """One model in memory."""

    def __init__(self, name: str, table: NDArray[np.float32], tokenizer: Tokenizer) -> None:
        self.name = name
        self.dimensions = int(table.shape[1])
        self._table = table
        self._tokenizer = tokenizer
        tokenizer.no_padding()
        tokenizer.no_truncation()

    @override
    def embed(
        self, texts: Sequence[str], *, tick: Callable[[], None] = lambda: None
    ) -> list[bytes | None]:
        del tick
        return [self._vector(self._tokens(text)) for text in texts]

    @override
    def close(self) -> None:
        """Nothing is open."""

    def _tokens(self, text: str) -> list[int]:
        """Cut into tokens, text by text: many at once take threads, and much more memory."""
        [encoded] = self._tokenizer.encode_batch_fast([text[:LONGEST]], add_special_tokens=False)
        found: list[int] = encoded.ids
        return found

    def _vector(self, tokens: list[int]) -> bytes | None:
        ids = np.asarray(tokens, dtype=np.int64)
        ids = ids[ids < len(self._table)]
        # Added up token by token and column by column: the same on every processor.
        total = np.add.reduce(self._table[ids], axis=0, dtype=np.float32)
        length = math.hypot(*total.tolist()) if len(ids) else 0.0
        if not length:
            return None
        packed: bytes = (total / np.float32(length)).astype("<f2").tobytes()
        return packed


def load(setting: LocalSetting) -> StaticModel:
    """Load the model, once a process.

    Raises:
        EmbedderRefusedError: its files cannot be read, or are of another kind.

    """
    return _load(setting)


@lru_cache(maxsize=2)
def _load(setting: LocalSetting) -> StaticModel:
    try:
        files = _of_wordllama() if setting.model else _of_folder(Path(setting.path))
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
        table = _table(files.weights)
    except EmbedderRefusedError:
        raise
    except (OSError, SafetensorError, ValueError) as exc:
        raise EmbedderRefusedError(f"The model cannot be read ({type(exc).__name__}).") from exc
    except Exception as exc:
        # tokenizers has no class of its own for a file that is none of its.
        raise EmbedderRefusedError("The model's tokenizer cannot be read.") from exc
    return StaticModel(files.name, table, tokenizer)


def _of_wordllama() -> _Files:
    """Find the files in the wheel, without importing it: that would set up logs and HTTP."""
    spec = find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderRefusedError("The package wordllama is not installed.")
    folder = Path(spec.submodule_search_locations[0])
    return _Files(
        f"wordllama/{_WORDLLAMA}",
        folder / "weights" / f"{_WORDLLAMA}_256.safetensors",
        folder / "tokenizers" / f"{_WORDLLAMA}_tokenizer_config.json",
    )


def _of_folder(folder: Path) -> _Files:
    """Find the files; the name has their hash, for another model may come into the same folder."""
    weights = sorted(folder.glob("*.safetensors"))
    if len(weights) != 1:
        raise EmbedderRefusedError("The model's folder must have one .safetensors file.")
    tokenizer = folder / "tokenizer.json"
    digest = hashlib.sha256()
    for path in (weights[0], tokenizer):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return _Files(f"local/{folder.resolve().name}@{digest.hexdigest()[:16]}", weights[0], tokenizer)


def _table(weights: Path) -> NDArray[np.float32]:
    with safe_open(weights, framework="np") as opened:
        names = list(opened.keys())
        table: NDArray[Any] = opened.get_tensor(names[0]) if len(names) == 1 else np.zeros(0)
    if table.ndim != _TABLE_AXES or not 1 <= table.shape[1] <= MAX_DIMENSIONS:
        raise EmbedderRefusedError("The model is no single table with a vector a token.")
    return np.ascontiguousarray(table, dtype=np.float32)
