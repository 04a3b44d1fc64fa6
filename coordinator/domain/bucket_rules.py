"""Whether a bucket lets pages upload, and whether its rules leave open uploads alone."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

_EXPOSED: Final = ("etag", "x-amz-checksum-sha256")


class CorsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What S3 told a page's browser; names of headers in lower case."""

    is_allowed: bool
    origin: str
    methods: frozenset[str]
    headers: frozenset[str]
    is_readable: bool  # the page may read what S3 answers to the part
    exposed: frozenset[str]
    wanted: frozenset[str]  # what the page must send


class AbortRule(msgspec.Struct, frozen=True):
    """A lifecycle rule that aborts multiparts ``days`` after they were begun."""

    prefix: str
    days: int


def lets_in(answer: CorsAnswer, origin: str) -> bool:
    """Say whether pages of the origin may send at all."""
    return answer.is_allowed and answer.origin in {"*", origin}


def lacks(answer: CorsAnswer, origin: str) -> list[str]:
    """Name what a page of ``origin`` needs of the bucket's CORS rules and does not get."""
    if not lets_in(answer, origin):
        return ["AllowedOrigins"]
    found = [] if answer.methods & {"put", "*"} else ["AllowedMethods: PUT"]
    headers = sorted(answer.wanted - answer.headers)
    if headers and "*" not in answer.headers:
        found.append(f"AllowedHeaders: {', '.join(headers)}")
    if not answer.is_readable:
        return [*found, "AllowedOrigins of the answer to PUT"]
    exposed = [name for name in _EXPOSED if name not in answer.exposed]
    if exposed and "*" not in answer.exposed:
        found.append(f"ExposeHeaders: {', '.join(exposed)}")
    return found


def first_abort(rules: Sequence[AbortRule], prefix: str) -> timedelta | None:
    """Return when the first rule that holds for all of ``prefix`` or a part of it aborts.

    >>> first_abort([AbortRule("", 9), AbortRule("other/", 1)], "datasets/")
    datetime.timedelta(days=9)
    """
    days = [
        rule.days
        for rule in rules
        if prefix.startswith(rule.prefix) or rule.prefix.startswith(prefix)
    ]
    return timedelta(days=min(days)) if days else None
