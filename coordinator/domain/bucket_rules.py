"""Whether a bucket lets pages upload, and whether its rules leave open uploads alone."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

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


class CorsChange(msgspec.Struct, frozen=True):
    """The bucket's CORS rules as they should be, and which of them were there and stay."""

    rules: list[dict[str, Any]]
    foreign: list[dict[str, Any]]
    is_needed: bool


def with_rule(rules: Sequence[Mapping[str, Any]], own: Mapping[str, Any]) -> CorsChange:
    """Put ``own`` in place of the rule with its ID, and leave all others as they are.

    It comes first, because S3 goes by the first rule that fits: of pages that another one names as
    well, that one need not let in what ours does. A server that keeps no IDs shows ours without.
    """
    nameless = {name: value for name, value in own.items() if name != "ID"}
    foreign = [
        dict(rule)
        for rule in rules
        if rule.get("ID") != own["ID"] and _meaning(rule) != _meaning(nameless)
    ]
    wanted = [dict(own), *foreign]
    is_needed = [_meaning(rule, "ID") for rule in rules] != [
        _meaning(rule, "ID") for rule in wanted
    ]
    return CorsChange(wanted, foreign, is_needed)


def _meaning(rule: Mapping[str, Any], *ignored: str) -> dict[str, Any]:
    """Return a rule without what means nothing: the order of its lists, and the case of headers."""
    return {
        name: sorted(each.lower() if name.endswith("Headers") else each for each in value)
        if isinstance(value, list)
        else value
        for name, value in rule.items()
        if name not in ignored and value not in ([], "", None)
    }


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
