"""Bytes that are nearly JSON, sent to every route that reads a body: none may cause a 5xx."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Litestar

_TOKENS: Final = (
    *(b"null", b"true", b"-1", b"0", b"1e400", b"NaN", b"-Infinity", b"9" * 400, b"1.5", b'""'),
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\u202e", b"\x00"),
    *(
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"%00",
        b"../",
        b"'; --",
        b"*",
    ),
    *(b"[" * 2_000, b'{"a":' * 500, b'"' + b"x" * 5_000 + b'"', b"9223372036854775808", b"1e-400"),
)
_FAULT: Final = 500


class Entry(NamedTuple):
    """A route that reads a body, a good one for it, and who may send it."""

    method: str
    path: str
    good: bytes
    credential: str


class Outcome(NamedTuple):
    """How the answers were spread, and what should not have come."""

    answers: Counter[str]
    found: list[str]


def entries(
    document: Mapping[str, Any], credentials: Mapping[str, str], ids: Mapping[str, str]
) -> list[Entry]:
    """List the document's routes with bodies; ``ids`` take the places of the examples' ids.

    ``credentials``: by path, or under ``*``.
    """
    return [
        Entry(
            method.upper(),
            _fill(path, ids),
            # What was erased, nobody could meet again.
            _good(operation, {} if path == "/api/erasures" else ids),
            credentials.get(path, credentials["*"]),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]


def _fill(path: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace("{" + name + "}", value)
    return path


def _good(operation: Mapping[str, Any], ids: Mapping[str, str]) -> bytes:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    good = dict(schema["examples"][0])
    return msgspec.json.encode({name: ids.get(name, value) for name, value in good.items()})


def mutated(good: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Break a body in up to four places."""
    body = bytearray(good)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body) + 1)
        until = min(len(body), at + rng.randint(1, 12))
        match rng.randrange(7):
            case 0 if at < len(body):
                body[at] ^= 1 << rng.randrange(8)
            case 1:
                del body[at:until]
            case 2:
                body[at:at] = body[at:until]
            case 3:
                body[at:until] = rng.choice(_TOKENS)
            case 4:
                body[at:at] = rng.choice(_TOKENS)
            case 5:
                other = rng.choice(others)
                body[at:] = other[rng.randrange(len(other)) :]
            case _:
                body[at:until] = rng.randbytes(rng.randint(1, 8))
    return bytes(body)


async def send_broken(app: Litestar, routes: Sequence[Entry], *, count: int, seed: int) -> Outcome:
    """Send ``count`` broken bodies in turn to all ``routes``. The app's lifespan must be open."""
    rng = random.Random(seed)
    goods = [each.good for each in routes]
    outcome = Outcome(Counter(), [])
    for at in range(count):
        entry = routes[at % len(routes)]
        body = mutated(entry.good, goods, rng)
        status, media_type = await _send(app, entry, body)
        outcome.answers[f"{entry.method} {entry.path} {status // 100}xx"] += 1
        is_problem = media_type == b"application/problem+json"
        if status >= _FAULT or (status >= 400) != is_problem:
            outcome.found.append(f"{status} {entry.method} {entry.path} {body[:300]!r}")
    return outcome


async def _send(app: Litestar, entry: Entry, body: bytes) -> tuple[int, bytes]:
    """Send one request straight into the application, without the price of a client."""
    told: dict[str, Any] = {}

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.update(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": entry.method,
        "scheme": "http",
        "path": entry.path,
        "raw_path": entry.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", f"Bearer {entry.credential}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("service", 80),
    }
    await app(scope, receive, send)
    media_type = dict(told["headers"]).get(b"content-type", b"").partition(b";")[0]
    return int(told["status"]), media_type


def told(outcome: Outcome) -> Iterator[str]:
    """Say what was answered, and what should not have been."""
    for name, number in sorted(outcome.answers.items()):
        yield f"  {name:<50} {number}"
    yield f"{sum(outcome.answers.values())} inputs, {len(outcome.found)} findings"
    yield from outcome.found[:20]
