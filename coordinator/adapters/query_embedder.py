"""The embedder of searches: opened with the first of them, and asked in threads."""

import asyncio
import threading
from typing import Final, NamedTuple

from coordinator.adapters.embedders import (
    Embedder,
    EmbedderAwayError,
    EmbedderRefusedError,
    open_embedder,
)
from coordinator.domain.embedders import EmbedderSetting
from coordinator.domain.errors import SearchNotAvailableError, UnavailableError

# Somebody waits for the answer.
_PATIENCE_S: Final = 4.0


class Query(NamedTuple):
    """What was searched for, as vectors are compared."""

    model: str
    vector: bytes | None  # there was nothing in it that the model knows


class QueryEmbedder:
    """One a process. Close it."""

    def __init__(self, setting: EmbedderSetting | None) -> None:
        self._setting = setting
        self._embedder: Embedder | None = None
        self._opening = threading.Lock()

    async def embed(self, text: str) -> Query:
        """Embed a text.

        Raises:
            SearchNotAvailableError: no model is set, or it will not do it.
            UnavailableError: its endpoint does not answer now.

        """
        if self._setting is None:
            raise SearchNotAvailableError(
                "No model makes vectors here: set COORDINATOR_EMBEDDINGS for service and worker."
            )
        try:
            return await asyncio.to_thread(self._embed, self._setting, text)
        except EmbedderRefusedError as exc:
            raise SearchNotAvailableError(f"{exc} Set COORDINATOR_EMBEDDINGS right.") from exc
        except EmbedderAwayError as exc:
            raise UnavailableError("What makes vectors does not answer. Try again.") from exc

    def close(self) -> None:
        """Close the embedder's connections."""
        if self._embedder is not None:
            self._embedder.close()

    def _embed(self, setting: EmbedderSetting, text: str) -> Query:
        with self._opening:
            if self._embedder is None:
                self._embedder = open_embedder(setting, patience_s=_PATIENCE_S)
        [vector] = self._embedder.embed([text])
        return Query(self._embedder.name, vector)
