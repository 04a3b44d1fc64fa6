"""Credentials that must open nothing, each with a name: tokens, keys, upload tokens, headers."""

import time
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import msgspec

from coordinator.domain import keys, upload_tokens
from coordinator.domain.upload_tokens import UploadToken
from tests.issuer import Issuer
from tests.web.hostile_tokens import (
    CANARY,
    Named,
    by_a_public_key,
    by_a_strange_key,
    by_broken_curves,
    misspelled,
    read_in_two_ways,
    without_a_signature,
)

_FULL_WIDTH: Final = {ord(digit): ord(digit) + 0xFEE0 for digit in "234567"}


_LETTERS: Final = "a2b3c4d5" * 7 + "e6f"


def tokens(issuer: Issuer, attacker: Issuer, second: Issuer) -> Iterator[Named]:
    """Tokens that prove nobody."""
    yield from without_a_signature(issuer)
    yield from by_a_public_key(issuer)
    yield from by_a_strange_key(issuer, attacker, second)
    yield from by_broken_curves(issuer)
    yield from misspelled(issuer)
    yield from read_in_two_ways(issuer)
    for name, claims in _wrong_claims(issuer):
        yield f"signed, {name}", issuer.token(**{"sub": CANARY, **claims})


def without_rights(issuer: Issuer) -> Iterator[Named]:
    """Tokens that prove somebody, who has no role whatever they say."""
    for name, roles in {
        "upload-token": ["upload-token"],
        "scopes": ["act-as", "every-tenant"],
        "capitals": "ADMIN Uploader",
        "NUL": "uploader\0",
        "a list in the list": [["uploader"]],
        "another alphabet": "uрloader",  # noqa: RUF001 - the second letter is Cyrillic
        "nothing": None,
        "many": ["x"] * 500,
        "everything": "*",
    }.items():
        yield f"role: {name}", issuer.token(sub=CANARY, roles=roles)


def _wrong_claims(issuer: Issuer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Claims that the issuer signed, for somebody else, for another time, or in error."""
    yield from _wrong_names(issuer)
    yield from _wrong_times()
    for name, tenant in {
        "missing": ...,
        "null": None,
        "empty": "",
        "a path": f"../{CANARY}",
        "dots": "..",
        "with NUL": "acme\0",
        "with line break": "acme\n",
        "very long": "a" * 2_000,
        "a list": ["acme"],
        "an object": {"acme": True},
        "a number": 7,
        "any": "*",
        "SQL": "a'; DROP TABLE uploads; --",
        "another alphabet": "аcme",  # noqa: RUF001 - the first letter is Cyrillic
    }.items():
        yield f"tenant {name}", {"org": tenant}
    for name, value in {"an object": {"admin": True}, "a number": 1, "true": True}.items():
        yield f"roles {name}", {"roles": value}


def _wrong_names(issuer: Issuer) -> Iterator[tuple[str, dict[str, Any]]]:
    wrong: dict[str, dict[str, Any]] = {
        "aud": {
            "missing": ...,
            "null": None,
            "of others": "https://other.example",
            "a part of ours": "https://coordinator.exampl",
            "longer than ours": "https://coordinator.example/",
            "in capitals": "HTTPS://COORDINATOR.EXAMPLE",
            "no entry": [],
            "empty": "",
            "numbers": [1, 2],
            "an object": {"https://coordinator.example": 1},
            "a nested list": [["https://coordinator.example"]],
        },
        "iss": {
            "missing": ...,
            "null": None,
            "a list": [issuer.url],
            "with a slash": f"{issuer.url}/",
            "in capitals": issuer.url.upper(),
            "a part": issuer.url[:-1],
            "empty": "",
            "a file": "file:///etc/passwd",
            "half a character": "\ud800",
        },
        "sub": {
            "missing": ...,
            "null": None,
            "empty": "",
            "a number": 7,
            "a list": [CANARY],
            "with line break": f'{CANARY}\r\n{{"event": "forged"}}',
            "with a space": f"{CANARY} admin",
            "with NUL": f"{CANARY}\0",
            "very long": CANARY * 100,
            "half a character": "\ud800",
        },
    }
    for claim, values in wrong.items():
        for name, value in values.items():
            yield f"{claim} {name}", {claim: value}


def _wrong_times() -> Iterator[tuple[str, dict[str, Any]]]:
    now = int(time.time())
    for claim in ("exp", "iat"):
        for name, value in {
            "missing": ...,
            "null": None,
            "a text": str(now),
            "true": True,
            "negative": -1,
            "huge": 10**4_000,
            "beyond all floats": 1e308 * 10,
            "NaN": float("nan"),
            "a list": [now],
            "a date": "2099-01-01T00:00:00Z",
        }.items():
            yield f"{claim} {name}", {claim: value}
    yield "exp in the past", {"iat": now - 600, "exp": now - 300}
    yield "exp at the start of time", {"exp": 0}
    yield "exp a huge float", {"exp": 1e300}
    yield "iat in the future", {"iat": now + 300}
    yield "nbf in the future", {"nbf": now + 300}
    yield "nbf a text", {"nbf": str(now)}
    yield "nbf null", {"nbf": None}
    yield "good for ten years", {"exp": now + 10 * 365 * 86_400}
    yield "good for a day and a minute", {"exp": now + 86_460}
    yield "made long ago", {"iat": 1}
    yield "NaN in a claim that nobody reads", {"more": float("nan")}


def api_keys(good: str, other: str, revoked: str, expired: str) -> Iterator[Named]:
    """Keys that are none, or are none any more."""
    head, _, secret = good.rpartition("_")
    yield "key revoked", revoked
    yield "key expired", expired
    yield "key that nobody was given", keys.mint(b"\x07" * keys.ENTROPY_BYTES).text
    yield "key with a wrong checksum", good[:-1] + ("a" if good[-1] != "a" else "b")
    yield "key with another's secret", f"{head}_{other.rpartition('_')[2]}"
    yield "key in capitals", good.upper()
    yield "key with one capital", good[:-5] + good[-5:].upper()
    yield "key with a space", f"{head} _{secret}"
    yield "key with a tab", f"{head}_\t{secret}"
    yield "key after no-break space", f"\xa0{good}"
    yield "key in full-width digits", f"{head}_{_LETTERS}".translate(_FULL_WIDTH)
    yield "key twice", good + good
    yield "key in quotes", f'"{good}"'
    yield "key with a comma", f"{good},"
    yield "key cut", good[:-1]
    yield "key's id", head
    yield "key's secret", secret
    yield "key with another prefix", "sk_" + good.removeprefix("ck_")
    yield "key with a line break, as in a URL", f"{good}%0a"
    yield "key with SQL", f"{head}' OR '1'='1_{secret}"
    yield "key of 10,000", "ck_" + "a" * 10_000


def of_uploads(good: UploadToken, other: UUID, *, secret: str, revoked: str) -> Iterator[Named]:
    """Upload tokens that are none, or are none any more."""
    text = upload_tokens.mint(good, secret=secret)
    body, _, tag = text.partition("~")
    changed = upload_tokens.mint(_but(good, upload_id=other), secret=secret).partition("~")[0]
    yield "upload token with another's tag", f"{changed}~{tag}"
    yield "upload token of another secret", upload_tokens.mint(good, secret=secret[::-1])
    yield "upload token, cut", text[:-1]
    yield "upload token without tag", body
    yield "upload token with an empty tag", f"{body}~"
    yield "upload token without payload", f"ut_~{tag}"
    yield "upload token, tag twice", f"{text}~{tag}"
    yield "upload token, padded", f"{text}="
    yield "upload token in capitals", text.upper()
    yield "upload token, one letter changed", f"{_changed(body)}~{tag}"
    yield "upload token of 10,000", "ut_" + "A" * 10_000
    changes: dict[str, dict[str, Any]] = {
        "expired": {"expires": int(time.time()) - 1},
        "of an upload that never was": {"upload_id": UUID(int=7)},
        "of another tenant": {"tenant": "other"},
        "of another user": {"user_id": "other"},
        "of a key that was revoked": {"maker": revoked},
    }
    for name, change in changes.items():
        yield f"upload token {name}", upload_tokens.mint(_but(good, **change), secret=secret)


def _but(token: UploadToken, **changes: Any) -> UploadToken:
    return msgspec.structs.replace(token, **changes)


def _changed(text: str) -> str:
    return text[:20] + ("A" if text[20] != "A" else "B") + text[21:]


def headers(good: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Ways of sending a good key that are no way to send one."""
    for name, value in {
        "empty": "",
        "only the scheme": "Bearer",
        "no space": f"Bearer{good}",
        "a tab": f"Bearer\t{good}",
        "no scheme": good,
        "Basic": f"Basic {good}",
        "Token": f"Token {good}",
        "Bearer twice": f"Bearer Bearer {good}",
        "a colon": f"Bearer: {good}",
        "two, by a space": f"Bearer {good} {good}",
        "two, by a comma": f"Bearer {good}, Bearer {good}",
        "a parameter": f'Bearer token="{good}"',
        "100 KB": "Bearer " + "x" * 100_000,
    }.items():
        yield f"header: {name}", [("Authorization", value)]
    bearer = ("Authorization", f"Bearer {good}")
    yield "header: sent twice", [bearer, bearer]
    yield "header: a good one after a bad one", [("Authorization", "Bearer x"), bearer]
    yield "header: of a proxy", [("Proxy-Authorization", f"Bearer {good}")]
    yield "header: another name", [("X-Api-Key", good)]
    yield "header: a cookie", [("Cookie", f"access_token={good}; Authorization=Bearer {good}")]
