"""Vectors from a server that speaks OpenAI's ``POST /embeddings``.

Rule: what it answers is bounded and checked, and its words go into no log: they may repeat the key.
"""

import math
import random
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final

import httpx
import msgspec
import structlog
from typing_extensions import override

from coordinator.adapters import clock
from coordinator.adapters.embedders import (
    LONGEST,
    Embedder,
    EmbedderAwayError,
    EmbedderRefusedError,
)
from coordinator.adapters.rate_limit import RateLimit
from coordinator.domain.embedders import MAX_DIMENSIONS, EndpointSetting

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 4
_TICK_S: Final = 0.5
_ATTEMPTS: Final = 8
_LONGEST_PAUSE_S: Final = 30.0
# OpenAI takes 300,000 tokens in one request, and no server many times that.
_CHARACTERS: Final = 200_000
_MAX_BYTES: Final = 128 * 1024 * 1024
_SILENCE_S: Final = 30.0
_ANSWER_S: Final = 120.0
_PASSING: Final = frozenset({408, 409, 425, 429})
_OK: Final = 200
_SERVER_ERROR: Final = 500


class _Embedding(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct, frozen=True):
    data: list[_Embedding]


class _PassingError(Exception):
    """The same request may be answered in a while."""

    def __init__(self, what: str, retry_after_s: float = 0.0) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


@cache
def _limit(_url: str, a_minute: int) -> RateLimit:
    """Make one for all that this process asks of an endpoint."""
    return RateLimit(a_minute)


class Endpoint(Embedder):
    """One endpoint and one model. Close it."""

    def __init__(self, setting: EndpointSetting, *, patience_s: float) -> None:
        self.name = setting.model
        self._setting = setting
        self._patience_s = patience_s
        self._limit = (
            _limit(setting.url, setting.requests_a_minute) if setting.requests_a_minute else None
        )
        key = {"Authorization": f"Bearer {setting.api_key}"} if setting.api_key else {}
        # Redirects are not followed: texts and key belong to this address and to no other.
        self._http = httpx.Client(
            headers={**key, "Accept": "application/json", "Content-Type": "application/json"},
            timeout=httpx.Timeout(min(_SILENCE_S, patience_s), connect=5.0),
            follow_redirects=False,
        )
        self._url = f"{setting.url.rstrip('/')}/embeddings"

    __repr__ = object.__repr__

    @override
    def close(self) -> None:
        self._http.close()

    @override
    def embed(
        self, texts: Sequence[str], *, tick: Callable[[], None] = lambda: None
    ) -> list[bytes | None]:
        stop = threading.Event()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            batches = [pool.submit(self._batch, each, stop) for each in self._cut(texts)]
            try:
                _watch(batches, tick)
            finally:
                stop.set()
                for each in batches:
                    each.cancel()
        return [vector for each in batches for vector in each.result()]

    def _cut(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Cut into requests that a server takes."""
        batch: list[str] = []
        characters = 0
        for text in texts:
            cut = text[:LONGEST]
            if batch and (len(batch) == self._setting.batch or characters + len(cut) > _CHARACTERS):
                yield batch
                batch, characters = [], 0
            batch.append(cut)
            characters += len(cut)
        if batch:
            yield batch

    def _batch(self, texts: list[str], stop: threading.Event) -> list[bytes | None]:
        """Send one request until it is answered, for as long as there is patience."""
        deadline = time.monotonic() + self._patience_s
        attempt = 0
        while True:
            attempt += 1
            if self._limit is not None and stop.wait(self._limit.reserve()):
                raise EmbedderAwayError("Nobody waits for it any more.")
            try:
                return self._ask(texts)
            except _PassingError as exc:
                pause = max(_backoff(attempt), exc.retry_after_s)
                left = deadline - time.monotonic()
                _log.warning("no embeddings", attempt=attempt, why=str(exc), pause_s=round(pause))
                if attempt == _ATTEMPTS or pause > left or stop.wait(pause):
                    raise EmbedderAwayError(f"The endpoint gives none: {exc}.") from None

    def _ask(self, texts: list[str]) -> list[bytes | None]:
        asked: dict[str, Any] = {
            "model": self._setting.model,
            "input": texts,
            "encoding_format": "float",
        }
        if self._setting.dimensions is not None:
            asked["dimensions"] = self._setting.dimensions
        try:
            status, retry_after_s, body = self._send(msgspec.json.encode(asked))
        except httpx.TransportError as exc:
            raise _PassingError(type(exc).__name__) from None
        if status in _PASSING or status >= _SERVER_ERROR:
            raise _PassingError(f"status {status}", retry_after_s)
        if status != _OK:
            raise EmbedderRefusedError(f"The endpoint answered {status}.")
        return self._read(body, len(texts))

    def _send(self, body: bytes) -> tuple[int, float, bytes]:
        """Send, and read no more and no longer than an answer can be."""
        end = time.monotonic() + _ANSWER_S
        received = bytearray()
        with self._http.stream("POST", self._url, content=body) as answer:
            if answer.status_code == _OK:
                for block in answer.iter_bytes():
                    received += block
                    if len(received) > _MAX_BYTES or time.monotonic() > end:
                        raise _PassingError("an answer without end")
            retry_after = answer.headers.get("Retry-After", "")
        return answer.status_code, _seconds(retry_after), bytes(received)

    def _read(self, body: bytes, count: int) -> list[bytes | None]:
        """Read the answer; a server may give the vectors in any order."""
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise _PassingError("an answer that has no embeddings") from None
        found = sorted(answer.data, key=lambda each: each.index)
        if [each.index for each in found] != list(range(count)):
            raise _PassingError("other embeddings than were asked for")
        wanted = self._setting.dimensions or len(found[0].embedding)
        if any(len(each.embedding) != wanted for each in found):
            raise EmbedderRefusedError(f"The endpoint answers other dimensions than {wanted}.")
        if not 1 <= wanted <= MAX_DIMENSIONS:
            raise EmbedderRefusedError(f"{wanted} dimensions: {MAX_DIMENSIONS} at most.")
        return [_packed(each.embedding) for each in found]


def _watch(batches: list[Future[list[bytes | None]]], tick: Callable[[], None]) -> None:
    """Wait for all, or for the first that fails; the caller is told in between."""
    while True:
        done, pending = wait(batches, timeout=_TICK_S, return_when=FIRST_EXCEPTION)
        if failure := next(filter(None, (each.exception() for each in done)), None):
            raise failure
        if not pending:
            return
        tick()


def _backoff(attempt: int) -> float:
    """Spread the next attempts of many over the time, more of it each time."""
    longest = min(_LONGEST_PAUSE_S, 0.25 * 2.0**attempt)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def _seconds(retry_after: str) -> float:
    """Read ``Retry-After``, seconds or a date; what is neither asks for nothing."""
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after).astimezone(UTC)
    except ValueError:
        return 0.0
    return max(0.0, (at - clock.now()).total_seconds())


def _packed(vector: list[float]) -> bytes | None:
    """Bring a vector to length 1; ``None``: it has none, or is no vector."""
    length = math.hypot(*vector)
    if not length or not math.isfinite(length):
        return None
    return struct.pack(f"<{len(vector)}e", *(each / length for each in vector))
