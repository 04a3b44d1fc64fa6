"""An endpoint of embeddings that fails in every way, for real and on loopback."""

import json
import math
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from coordinator.adapters import embedding_endpoint
from coordinator.adapters.embedders import (
    Embedder,
    EmbedderAwayError,
    EmbedderRefusedError,
    dimensions,
    numbers,
    open_embedder,
    read_embedder,
)
from coordinator.domain.embedders import EndpointSetting
from tests.captured_logs import captured
from tests.embedding_server import KEY, Asked, answer, embedding_server, vector_of, vectors


@pytest.fixture
def asked() -> Iterator[Asked]:
    """An endpoint on loopback."""
    with embedding_server() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _hastily(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long between two attempts."""
    monkeypatch.setattr(embedding_endpoint, "_backoff", lambda attempt: 0.001 * attempt)


def endpoint(asked: Asked, *, patience_s: float = 20.0, **changes: Any) -> Embedder:
    """Open the endpoint as settings would have it."""
    text = json.dumps({"kind": "openai", "url": asked.url, "model": "m", **changes})
    setting = read_embedder(text)
    assert setting is not None
    return open_embedder(setting, patience_s=patience_s)


def near(left: bytes | None, right: list[float]) -> bool:
    """Whether a packed vector has the direction of the other, and length 1."""
    assert left is not None
    length = math.hypot(*right)
    pairs = zip(numbers(left), right, strict=True)
    return all(math.isclose(a, b / length, abs_tol=1e-3) for a, b in pairs)


def test_texts_are_sent_in_batches_and_come_back_in_order(asked: Asked) -> None:
    """However a server is asked, the first vector is the first text's."""
    texts = [f"text {number}" for number in range(10)]
    embedder = endpoint(asked, batch=4, apiKey=KEY)

    found = embedder.embed(texts)

    embedder.close()
    assert sorted(map(len, asked.texts)) == [2, 4, 4]
    assert all(near(vector, vector_of(text, 64)) for vector, text in zip(found, texts, strict=True))
    assert {each["authorization"] for each in asked.headers} == {f"Bearer {KEY}"}
    assert {each["model"] for each in asked.bodies} == {"m"}
    assert not any("dimensions" in each for each in asked.bodies)


def test_an_answer_in_another_order_is_put_right(asked: Asked) -> None:
    """The index counts, not the place."""

    def reversed_(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        made = vectors(body)
        answer(handler, 200, {**made, "data": made["data"][::-1]})

    asked.next.append(reversed_)
    embedder = endpoint(asked)

    found = embedder.embed(["one", "two", "three"])

    embedder.close()
    assert all(
        near(v, vector_of(t, 64)) for v, t in zip(found, ("one", "two", "three"), strict=True)
    )
    assert near(found[2], vector_of("three", 64))
    assert not near(found[2], vector_of("one", 64))


def test_long_texts_are_cut_and_spread_over_requests(asked: Asked) -> None:
    """A server takes so many tokens in one request."""
    embedder = endpoint(asked)

    embedder.embed(["x" * 10_000] * 50)

    embedder.close()
    assert {len(text) for texts in asked.texts for text in texts} == {6_000}
    assert max(sum(map(len, texts)) for texts in asked.texts) <= 200_000
    assert sum(map(len, asked.texts)) == 50


def test_wished_dimensions_are_asked_for_and_checked(asked: Asked) -> None:
    """Else an index would have vectors that cannot be compared."""
    embedder = endpoint(asked, dimensions=32)
    asked.next.append(lambda handler, body: answer(handler, 200, vectors(body)))

    found = embedder.embed(["one"])
    asked.next.append(
        lambda handler, body: answer(handler, 200, vectors({**body, "dimensions": 16}))
    )
    with pytest.raises(EmbedderRefusedError, match="other dimensions than 32"):
        embedder.embed(["one"])

    embedder.close()
    assert [dimensions(each or b"") for each in found] == [32]
    assert asked.bodies[0]["dimensions"] == 32


def test_a_text_without_a_direction_has_no_vector(asked: Asked) -> None:
    """Nothing is near a vector of zeros."""
    embedder = endpoint(asked)

    found = embedder.embed(["one", "", "two"])

    embedder.close()
    assert [each is None for each in found] == [False, True, False]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_passes_is_tried_again(asked: Asked, status: int) -> None:
    """A busy server answers a moment later."""
    asked.next.extend([lambda handler, _: answer(handler, status, {"error": "later"})] * 3)
    embedder = endpoint(asked)

    found = embedder.embed(["one"])

    embedder.close()
    assert near(found[0], vector_of("one", 64))
    assert len(asked.bodies) == 4


def test_retry_after_is_waited_for(asked: Asked) -> None:
    """The server knows best."""
    asked.next.append(lambda handler, _: answer(handler, 429, {}, {"Retry-After": "1"}))
    embedder = endpoint(asked)

    embedder.embed(["one"])

    embedder.close()
    assert asked.times[1] - asked.times[0] >= 1.0


def test_whoever_has_less_patience_than_is_asked_for_is_told_at_once(asked: Asked) -> None:
    """A search does not hang for an hour; the job is tried again."""
    asked.next.append(lambda handler, _: answer(handler, 429, {}, {"Retry-After": "3600"}))
    embedder = endpoint(asked, patience_s=2.0)
    begun = time.monotonic()

    with pytest.raises(EmbedderAwayError, match="429"):
        embedder.embed(["one"])

    embedder.close()
    assert time.monotonic() - begun < 2.0
    assert len(asked.bodies) == 1


def test_attempts_come_to_an_end(asked: Asked) -> None:
    """What does not pass is the worker's to try again, much later."""
    asked.next.extend([lambda handler, _: answer(handler, 500, {})] * 50)
    embedder = endpoint(asked)

    with pytest.raises(EmbedderAwayError, match="500"):
        embedder.embed(["one"])

    embedder.close()
    assert len(asked.bodies) == 8


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422])
def test_a_refusal_is_final_and_repeats_nothing(asked: Asked, status: int) -> None:
    """Servers put the key into their words, some even a half of it."""
    asked.next.append(
        lambda handler, _: answer(handler, status, {"error": f"{KEY} is wrong"}, {"Location": "/"})
    )
    embedder = endpoint(asked, apiKey=KEY)

    with (
        captured(embedding_endpoint) as lines,
        pytest.raises(EmbedderRefusedError, match=str(status)) as fault,
    ):
        embedder.embed(["one"])

    embedder.close()
    assert len(asked.bodies) == 1
    assert KEY not in f"{fault.value!r} {lines} {embedder!r}"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>a proxy's</html>",
        {"data": []},
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": [None]}]},
        b'{"data": [{"index": 0, "embedding": [NaN]}]}',
    ],
)
def test_an_answer_that_is_none_is_asked_for_again(asked: Asked, body: Any) -> None:
    """It never gets into a file."""
    asked.next.append(lambda handler, _: answer(handler, 200, body))
    embedder = endpoint(asked)

    found = embedder.embed(["one"])

    embedder.close()
    assert near(found[0], vector_of("one", 64))
    assert len(asked.bodies) == 2


def test_a_server_that_hangs_is_left(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is an answer, too."""
    monkeypatch.setattr(embedding_endpoint, "_SILENCE_S", 0.3)
    asked.next.append(lambda *_: time.sleep(1.0))
    embedder = endpoint(asked)

    found = embedder.embed(["one"])

    embedder.close()
    assert near(found[0], vector_of("one", 64))


def test_an_answer_without_end_is_left(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has one."""
    monkeypatch.setattr(embedding_endpoint, "_MAX_BYTES", 10_000)
    asked.next.append(lambda handler, _: answer(handler, 200, b" " * 20_000))
    embedder = endpoint(asked)

    found = embedder.embed(["one"])

    embedder.close()
    assert near(found[0], vector_of("one", 64))
    assert len(asked.bodies) == 2


def test_nobody_there_is_away() -> None:
    """And no fault of the data's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    embedder = open_embedder(EndpointSetting(url=url, model="m"), patience_s=1.0)

    with pytest.raises(EmbedderAwayError, match="ConnectError"):
        embedder.embed(["one"])

    embedder.close()


def test_so_many_requests_a_minute_and_no_more(asked: Asked) -> None:
    """By all threads together."""
    embedder = endpoint(asked, batch=1, requestsAMinute=600)

    embedder.embed(["one"] * 8)

    embedder.close()
    assert max(asked.times) - min(asked.times) >= 0.7 * 0.95


def test_whoever_waits_can_be_called_away(asked: Asked) -> None:
    """A job that is cancelled ends while its endpoint is busy."""
    asked.next.append(lambda handler, _: answer(handler, 429, {}, {"Retry-After": "15"}))
    embedder = endpoint(asked)
    begun = time.monotonic()

    def tick() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedder.embed(["one"], tick=tick)

    embedder.close()
    assert time.monotonic() - begun < 5.0
