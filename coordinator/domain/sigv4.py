"""Presigned URLs by which clients send the parts of a multipart upload straight to S3.

Rule: everything comes in as a value, the time too, and nothing goes out but the return value.
Follows "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)",
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
Why it is our own code, see docs/adr/0001-own-signer.md.
"""

import hmac
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from typing_extensions import override

# S3 accepts X-Amz-Expires from 1 second to 7 days.
_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(days=7)

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Sorted, as the signature wants them. What is signed as a header S3 enforces;
# a checksum hoisted into the query it ignores.
_SIGNED_HEADERS: Final = "content-length;host;x-amz-checksum-sha256;x-amz-sdk-checksum-algorithm"


class CredentialsExpiredError(RuntimeError):
    """The credentials end before a URL signed with them could be used."""


class _Discreet(msgspec.Struct, frozen=True):
    """Shows of itself only what ``__rich_repr__`` returns, so that logs cannot hold the rest."""

    @override
    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"


class Credentials(_Discreet, frozen=True):
    """Who signs. ``expires_at`` is set where the credentials are temporary."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    expires_at: datetime | None = None

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("access_key", self.access_key), ("expires_at", self.expires_at)]


class Target(msgspec.Struct, frozen=True):
    """Where the parts go. ``endpoint`` is ``scheme://host[:port]`` as *clients* reach S3.

    A bucket with dots needs ``path_addressing`` over https: no certificate covers its host.
    """

    endpoint: str
    bucket: str
    region: str
    path_addressing: bool


class Part(msgspec.Struct, frozen=True):
    """What one URL will accept: this part number, this many bytes, with this raw sha256."""

    number: int
    size: int
    sha256: bytes


class SignedPart(_Discreet, frozen=True):
    """A URL to PUT to, and the headers that the client must set.

    Content-Length and Host are signed too, but HTTP clients set those themselves, and browsers
    let nobody else do it. The URL is a secret until it expires.
    """

    url: str
    headers: dict[str, str]

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("headers", self.headers)]


class SignedGet(_Discreet, frozen=True):
    """A URL to download from, a secret until it ends."""

    url: str
    expires_at: datetime

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("expires_at", self.expires_at)]


def aws_endpoint(region: str) -> str:
    """Return the regional endpoint; the global one redirects, which a signature does not survive.

    >>> aws_endpoint("eu-central-1")
    'https://s3.eu-central-1.amazonaws.com'
    >>> aws_endpoint("cn-north-1")
    'https://s3.cn-north-1.amazonaws.com.cn'
    """
    suffix = ".cn" if region.startswith("cn-") else ""
    return f"https://s3.{region}.amazonaws.com{suffix}"


def origin(target: Target) -> str:
    """Return where part URLs lead to, as a browser's policy names it.

    >>> origin(Target("https://s3.example:9000/", "b", "r", path_addressing=False))
    'https://b.s3.example:9000'
    """
    return _address(target, "")[0]


def expiry(credentials: Credentials, *, at: datetime, lifetime: timedelta) -> datetime:
    """Return when a URL signed ``at`` that time really ends.

    That is after ``lifetime``, after the 7 days that S3 allows, or with the credentials,
    whichever comes first, in whole seconds counted from the second that the URL carries.

    Raises:
        CredentialsExpiredError: less than a second of the credentials is left.

    """
    assert lifetime >= _SHORTEST, "S3 knows no lifetime below a second."
    start = _signing_second(at)
    left = min(lifetime, _LONGEST)
    if credentials.expires_at is not None:
        left = min(left, credentials.expires_at - start)
    if left < _SHORTEST:
        raise CredentialsExpiredError("The S3 credentials have expired.")
    return start + left // _SHORTEST * _SHORTEST


def sign_parts(
    credentials: Credentials,
    target: Target,
    *,
    key: str,
    multipart_id: str,
    parts: Sequence[Part],
    at: datetime,
    lifetime: timedelta,
) -> list[SignedPart]:
    """Sign one URL a part, in their order. They end at ``expiry`` of the same arguments.

    ``key`` is signed as it stands, never normalised. Browsers resolve ``.`` and ``..`` segments,
    however they are escaped, and so cannot send to a key that has them.

    Raises:
        CredentialsExpiredError: less than a second of the credentials is left.

    """
    origin, host, path = _address(target, key)
    stamp = f"{_signing_second(at):%Y%m%dT%H%M%SZ}"
    steps = (stamp[:8], target.region, "s3", "aws4_request")
    scope = "/".join(steps)
    signing_key = _signing_key(credentials.secret_key, steps)
    seconds = (expiry(credentials, at=at, lifetime=lifetime) - _signing_second(at)) // _SHORTEST
    authentication = _authentication(credentials, scope=scope, stamp=stamp, seconds=seconds)
    upload_id = quote(multipart_id, safe="")

    # The hot path: all that is the same for every part is done above, and what is left costs
    # little beside its sha256 and its HMAC. The query is in canonical order already, so one
    # text serves the signature and the URL; hmac.digest is one call into OpenSSL.
    signed = []
    for part in parts:
        checksum = b2a_base64(part.sha256, newline=False).decode()
        query = f"{authentication}&partNumber={part.number}&uploadId={upload_id}"
        canonical_request = (
            f"PUT\n{path}\n{query}\n"
            f"content-length:{part.size}\n"
            f"host:{host}\n"
            f"x-amz-checksum-sha256:{checksum}\n"
            "x-amz-sdk-checksum-algorithm:SHA256\n"
            f"\n{_SIGNED_HEADERS}\nUNSIGNED-PAYLOAD"
        )
        digest = sha256(canonical_request.encode()).hexdigest()
        string_to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(signing_key, string_to_sign.encode(), "sha256").hex()
        signed.append(
            SignedPart(
                f"{origin}{path}?{query}&X-Amz-Signature={signature}",
                {"x-amz-checksum-sha256": checksum, "x-amz-sdk-checksum-algorithm": "SHA256"},
            )
        )
    return signed


def _signing_second(at: datetime) -> datetime:
    """Cut ``at`` to what X-Amz-Date can say: expiry counts from there."""
    assert at.tzinfo is not None, "A naive time would be read in the machine's own zone."
    return at.astimezone(UTC).replace(microsecond=0)


def _address(target: Target, key: str) -> tuple[str, str, str]:
    """Return origin, Host header and path.

    Clients leave their scheme's default port out of the Host header, so it must not be signed.
    """
    endpoint = urlsplit(target.endpoint)
    assert endpoint.hostname, "The endpoint is scheme://host[:port]."
    assert endpoint.path in {"", "/"}, "S3 has no path before the bucket."
    host = f"[{endpoint.hostname}]" if ":" in endpoint.hostname else endpoint.hostname
    path = f"/{key}"
    if target.path_addressing:
        path = f"/{target.bucket}{path}"
    else:
        host = f"{target.bucket}.{host}"
    if endpoint.port not in {None, _DEFAULT_PORTS.get(endpoint.scheme)}:
        host = f"{host}:{endpoint.port}"
    # Encoded once, where other AWS services sign a path that is encoded twice.
    return f"{endpoint.scheme}://{host}", host, quote(path, safe="/")


def _signing_key(secret_key: str, steps: Sequence[str]) -> bytes:
    """Derive the key that is good for one day, region and service only: the steps of the scope."""
    return reduce(
        lambda derived, step: hmac.digest(derived, step.encode(), "sha256"),
        steps,
        f"AWS4{secret_key}".encode(),
    )


def _authentication(credentials: Credentials, *, scope: str, stamp: str, seconds: int) -> str:
    """Return the X-Amz parameters, sorted as the canonical query wants them."""
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-Security-Token": credentials.session_token,
        "X-Amz-SignedHeaders": _SIGNED_HEADERS,
    }
    return "&".join(
        f"{name}={quote(value, safe='')}" for name, value in parameters.items() if value
    )
