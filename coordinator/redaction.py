"""The second line of defence: what looks like a secret is taken out of whatever leaves a process.

The first is that nobody writes one down. Rule: logs and spans pass here as finished text, so that
no library, level, exception or new field goes around it. What looks like nothing in particular
(AWS's secret key, our own secret, passwords) is found because :func:`remember` was told of it.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

HIDDEN: Final = "[hidden]"

# Between a name and its value: `=`, `%3D`, or what a repr, a JSON text in a JSON text and a tuple
# put there.
_IS: Final = r"""(?:%3[Dd]|=|[\\'"]*\s*[:=,]\s*(?:b?[\\'"]+)?)"""
_VALUE: Final = r"""[^\s&;,<>'"\\)}\]]+"""
_LINE: Final = r"""[^'"\\\r\n<>]+"""

# What a text must have in it, in lower case, for the pattern to be tried: a line that has none of
# these costs some 15 searches for a constant.
_PATTERNS: Final[tuple[tuple[str, re.Pattern[str], str], ...]] = tuple(
    (marker, re.compile(pattern, re.IGNORECASE), replacement)
    for marker, pattern, replacement in (
        (
            "x-amz-",
            rf"(x-amz-(?:signature|credential|security-token){_IS}){_VALUE}",
            rf"\1{HIDDEN}",
        ),
        # botocore's DEBUG: `Signature:\n<hex>`, and `Signature=<hex>` in a header.
        (
            "signature",
            r"""(signature(?:\\+n|%3d|[^0-9a-z%]){1,12})[0-9a-f]{64}""",
            rf"\1{HIDDEN}",
        ),
        (
            "authorization",
            rf"(authorization{_IS}){_LINE}",
            rf"\1{HIDDEN}",
        ),
        ("bearer", r"(bearer(?: |%20)+)[^\s'\"\\,]+", rf"\1{HIDDEN}"),
        ("ck_", r"(ck_[a-z2-7]{13}_)[a-z2-7]{8,}", rf"\1{HIDDEN}"),
        ("ut_", r"((?:(?<![a-z0-9])|(?<=\\[nrtbf]))ut_)[a-z0-9_.~-]{16,}", rf"\1{HIDDEN}"),
        ("cb_", r"(cb_[0-9a-z_]{10,30}_)[0-9a-f]{8,}", rf"\1{HIDDEN}"),
        ("eyj", r"eyJ[\w-]{10,}(?:\.[\w-]*)*", HIDDEN),
        # S3's, in queries and reprs; ours begin with upl_ and are no secret.
        (
            "uploadid",
            rf"""(uploadid(?:{_IS}|>))(?!upl_){_VALUE}""",
            rf"\1{HIDDEN}",
        ),
        ("multipart_id", rf"(multipart_id{_IS}){_VALUE}", rf"\1{HIDDEN}"),
        ("secret", rf"(secret_?(?:access_?)?key{_IS}){_VALUE}", rf"\1{HIDDEN}"),
        ("token", rf"((?:session|security)_?token(?:{_IS}|>)){_VALUE}", rf"\1{HIDDEN}"),
        ("password", rf"(password{_IS}){_VALUE}", rf"\1{HIDDEN}"),
        ("://", r"(://[^\s:/?#@'\"\\]*:)[^\s/?#@'\"\\]+@", rf"\1{HIDDEN}@"),
    )
)

# A shorter one would hide common words.
_SHORTEST: Final = 8

_known: frozenset[str] = frozenset()
_literals: re.Pattern[str] | None = None


def remember(secrets: Iterable[str]) -> None:
    """Hide these from now on, wherever they stand and as whatever encoding they are spelt."""
    global _known, _literals  # noqa: PLW0603 - one set a process, as logging is one a process
    _known |= {secret for secret in secrets if len(secret) >= _SHORTEST}
    spelt = {each for secret in _known for each in spellings(secret)}
    longest_first = sorted(spelt, key=lambda each: (-len(each), each))
    _literals = re.compile("|".join(map(re.escape, longest_first))) if spelt else None


def remembered() -> frozenset[str]:
    """Return what is to be hidden, for a child process that hides it too."""
    return _known


def spellings(secret: str) -> set[str]:
    """Return ``secret`` as it stands in text, in JSON, in URLs and in base64, wherever it begins.

    >>> sorted(spellings("tops/cret"))
    ['b3BzL2NyZX', 'cHMvY3Jld', 'dG9wcy9jcmV0', 'tops%2Fcret', 'tops/cret']
    """
    found = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    found.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    data = secret.encode(errors="surrogatepass")
    for skipped in range(3):
        # Only the letters that are made of the secret alone, whatever stands beside it.
        whole = data[skipped:]
        letters = len(whole) * 8 // 6
        found.add(base64.b64encode(whole).decode()[:letters])
        found.add(base64.urlsafe_b64encode(whole).decode()[:letters])
    return {each for each in found if len(each) >= _SHORTEST}


def redact(text: str) -> str:
    """Return ``text`` without what looks like a secret or is known to be one.

    >>> redact("GET https://s3/b/k?X-Amz-Signature=abc&uploadId=xyz&partNumber=1")
    'GET https://s3/b/k?X-Amz-Signature=[hidden]&uploadId=[hidden]&partNumber=1'
    >>> redact('{"uploadId": "upl_00000000000000000000000001"}')
    '{"uploadId": "upl_00000000000000000000000001"}'
    """
    folded = text.lower()
    for marker, pattern, replacement in _PATTERNS:
        if marker in folded:
            text = pattern.sub(replacement, text)
    return text if _literals is None else _literals.sub(HIDDEN, text)


def known_in(environ: Mapping[str, str]) -> set[str]:
    """Return what libraries read from the environment and nobody may see.

    >>> sorted(known_in({"AWS_SECRET_ACCESS_KEY": "abc", "OTEL_EXPORTER_OTLP_HEADERS": "k=v"}))
    ['abc', 'v']
    """
    found = {environ.get(name, "") for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    found |= {environ.get(name, "") for name in ("PGPASSWORD", "AWS_CONTAINER_AUTHORIZATION_TOKEN")}
    for name, value in environ.items():
        if name.startswith("OTEL_EXPORTER_") and name.endswith("_HEADERS"):
            found |= {pair.partition("=")[2].strip() for pair in value.split(",")}
    return found - {""}


def password_of(url: str) -> str:
    """Return the password in a DSN; empty where there is none.

    >>> password_of("postgresql://u:p%40ss@h/d"), password_of("redis://h")
    ('p%40ss', '')
    """
    return urlsplit(url).password or ""
