"""What the bucket tells browsers, and its rules for what is left behind."""

from collections.abc import Mapping
from typing import Final

import httpx
import msgspec
from botocore.exceptions import ClientError

from coordinator.adapters.probing import Probe, is_denied
from coordinator.domain.bucket_rules import AbortRule, CorsAnswer

_NO_RULES: Final = "NoSuchLifecycleConfiguration"


class UnreadableError(Exception):
    """The rules may not be read."""


async def ask_as_page(probe: Probe, origin: str) -> CorsAnswer:
    """Ask S3, at the address that clients use, as a browser does for a page of ``origin``.

    First the preflight that comes before each part, then the part itself.
    """
    async with probe.tiny() as tiny:
        put = await probe.sign(tiny, target=probe.public)
        asking = {
            "Origin": origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": ",".join(sorted(put.headers)),
        }
        preflight = await probe.http.request("OPTIONS", put.url, headers=asking)
        sent = await probe.put(put, {"Origin": origin})
    return CorsAnswer(
        is_allowed=preflight.is_success,
        origin=_header(preflight, "origin"),
        methods=_words(preflight, "methods"),
        headers=_words(preflight, "headers"),
        is_readable=_header(sent, "origin") in {"*", origin},
        exposed=_words(sent, "expose-headers"),
        wanted=frozenset(put.headers),
    )


def _header(answer: httpx.Response, name: str) -> str:
    prefix = "access-control-" if name.startswith("expose") else "access-control-allow-"
    return str(answer.headers.get(prefix + name, ""))


def _words(answer: httpx.Response, name: str) -> frozenset[str]:
    return frozenset(
        word for entry in _header(answer, name).split(",") if (word := entry.strip().lower())
    )


async def read_abort_rules(probe: Probe) -> list[AbortRule]:
    """Read the enabled rules that abort multiparts which were begun some days ago.

    Raises:
        UnreadableError: the credentials may not.

    """
    try:
        answer = await probe.s3.get_bucket_lifecycle_configuration(Bucket=probe.bucket)
    except ClientError as exc:
        if exc.response["Error"]["Code"] == _NO_RULES:
            return []
        if is_denied(exc):
            raise UnreadableError from exc
        raise
    return [
        AbortRule(_prefix(rule), days)
        for rule in msgspec.to_builtins(answer.get("Rules", []))
        if rule.get("Status") == "Enabled"
        and (days := rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"))
    ]


def _prefix(rule: Mapping[str, object]) -> str:
    """Return where a rule holds; one with conditions beside the prefix counts as if it had none."""
    condition = rule.get("Filter")
    if isinstance(condition, Mapping):
        both = condition.get("And")
        inner = both if isinstance(both, Mapping) else condition
        return str(inner.get("Prefix", ""))
    return str(rule.get("Prefix", ""))
