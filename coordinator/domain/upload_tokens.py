"""Upload tokens, ``ut_<payload>~<tag>``: who may drive one upload for a while without a key.

The tag is an HMAC of the payload by a key of their own, so that a forged token costs no look-up.
Whether a token has expired, and whether its maker was revoked, the database says.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

PREFIX: Final = "ut_"
MAX_CHARACTERS: Final = 1024

_SEPARATOR: Final = "~"  # no letter of base64url, and allowed in a bearer token
_VERSION: Final = 1
_HEAD_BYTES: Final = 1 + 16 + 8  # version, upload, expiry
_MAX_NAME_BYTES: Final = 200


class UploadToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says: ``maker`` is the actor who asked for it, mostly a key's id."""

    upload_id: UUID
    expires: int  # seconds since 1970, UTC
    tenant: str
    user_id: str
    maker: str


def expiry(*, now: datetime, lifetime_seconds: int, deadline: datetime) -> int:
    """Return when a token made ``now`` ends: never after its upload.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> expiry(now=now, lifetime_seconds=3600, deadline=now.replace(minute=5)) - now.timestamp()
    300.0
    """
    return min(int(now.timestamp()) + lifetime_seconds, int(deadline.timestamp()))


def mint(token: UploadToken, *, secret: str) -> str:
    """Spell a token. Tenant, user and maker have at most 200 bytes each."""
    names = [each.encode() for each in (token.tenant, token.user_id, token.maker)]
    assert max(map(len, names)) <= _MAX_NAME_BYTES, "nobody has a longer name"
    head = bytes([_VERSION]) + token.upload_id.bytes + token.expires.to_bytes(8, "big")
    payload = head + b"".join(bytes([len(name)]) + name for name in names)
    return f"{PREFIX}{_letters(payload)}{_SEPARATOR}{_letters(_tag(payload, secret))}"


def read(text: str, *, secret: str) -> UploadToken | None:
    """Return what a token of ours says, expired or not; ``None`` when ``text`` is none."""
    if len(text) > MAX_CHARACTERS or not text.startswith(PREFIX):
        return None
    spelled, separator, tag = text.removeprefix(PREFIX).partition(_SEPARATOR)
    payload, found = _bytes(spelled), _bytes(tag)
    if payload is None or found is None or not separator:
        return None
    if not hmac.compare_digest(_tag(payload, secret), found):
        return None
    return _parse(payload)


def _parse(payload: bytes) -> UploadToken | None:
    """Read what we have signed ourselves, though maybe an older or newer release did."""
    if payload[:1] != bytes([_VERSION]) or len(payload) < _HEAD_BYTES:
        return None
    try:
        tenant, user_id, maker = _names(payload[_HEAD_BYTES:])
    except (ValueError, UnicodeDecodeError):
        return None
    return UploadToken(
        upload_id=UUID(bytes=payload[1:17]),
        expires=int.from_bytes(payload[17:_HEAD_BYTES], "big"),
        tenant=tenant,
        user_id=user_id,
        maker=maker,
    )


def _names(rest: bytes) -> Iterator[str]:
    while rest:
        end = 1 + rest[0]
        if end > len(rest):
            raise ValueError("cut off")
        yield rest[1:end].decode()
        rest = rest[end:]


def _tag(payload: bytes, secret: str) -> bytes:
    """Sign by a key of the tokens' own: no hash of an API key can ever be taken for a tag."""
    own = hmac.digest(secret.encode(), b"upload-token", hashlib.sha256)
    return hmac.digest(own, payload, hashlib.sha256)


def _letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(letters: str) -> bytes | None:
    """Decode strictly: other spellings of the same bytes are none."""
    try:
        data = base64.b64decode(letters + "=" * (-len(letters) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _letters(data) == letters else None
