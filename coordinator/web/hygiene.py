"""What every answer tells browsers: to guess nothing, to tell nobody, and whose pages may read it.

Rule: :func:`tidied` sees the head of every answer, also of those that no route and no middleware
has seen (404, 405, preflights, faults). What a route says of caching and policy stays.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit

from litestar.config.cors import CORSConfig
from litestar.types import Message, Scope

# For answers that are no pages: whatever a browser takes one for, it may load and run nothing.
_API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"

ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    # Pages of other origins read answers by CORS, which this does not touch; what it ends is
    # embedding them unread, as an image or a script.
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_UNLESS_SAID: Final = (
    (b"content-security-policy", _API_POLICY),
    # Answers are about one caller, and some hold signed URLs.
    (b"cache-control", b"no-store"),
)
_CORS: Final = b"access-control-"
_LET_IN: Final = b"access-control-allow-origin"

Headers = list[tuple[bytes, bytes]]


def cors(origins: list[str]) -> CORSConfig:
    """Let pages of these origins call the API, by what they hold and not by cookies."""
    return CORSConfig(
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
        expose_headers=[
            *("X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "ETag"),
            *("WWW-Authenticate", "X-Next-Cursor"),
        ],
        max_age=600,
    )


def page_policy(*, s3: str) -> str:
    """Return the policy of our own HTML pages, which send chunks to ``s3``.

    Their scripts have it too: a worker lives by the policy that its script came with.

    >>> page_policy(s3="https://s3.example:9000/bucket").split("; ")[3]
    "connect-src 'self' https://s3.example:9000"
    """
    parts = urlsplit(s3)
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"connect-src 'self' {parts.scheme}://{parts.netloc}",
            "img-src 'self'",
            "font-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            # What coordinator.js makes for the address of its worker, and nothing besides.
            "trusted-types coordinator-hash-worker",
        ]
    )


def tidied(*, hsts_seconds: int) -> Callable[[Message, Scope], Awaitable[None]]:
    """Return a hook that completes the head of each answer."""
    always = list(ALWAYS)
    if hsts_seconds:
        always.append((b"strict-transport-security", b"max-age=%d" % hsts_seconds))

    async def tidy(message: Message, _scope: Scope) -> None:
        if message["type"] == "http.response.start":
            head = cast("dict[str, Any]", message)
            head["headers"] = completed(list(head.get("headers", [])), always)

    return tidy


def completed(headers: Headers, always: Sequence[tuple[bytes, bytes]] = ALWAYS) -> Headers:
    """Return an answer's headers, completed, and without those that tell strangers too much."""
    given = {name.lower() for name, _value in headers}
    if _LET_IN not in given:
        # The framework tells every page what those that are let in may do.
        headers = [each for each in headers if not each[0].lower().startswith(_CORS)]
    set_here = {name for name, _value in always}
    return [
        *(each for each in headers if each[0].lower() not in set_here | {b"vary"}),
        *always,
        *(each for each in _UNLESS_SAID if each[0] not in given),
        (b"vary", _vary(headers)),
    ]


def _vary(headers: Headers) -> bytes:
    """Name Origin, whatever it was: an answer to one page must not be kept for another."""
    said = [value for name, value in headers if name.lower() == b"vary"]
    names = [name.strip() for value in said for name in value.split(b",")]
    others = [name for name in names if name and name.lower() != b"origin"]
    return b", ".join([b"Origin", *others])
