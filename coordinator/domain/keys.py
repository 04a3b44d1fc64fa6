"""API keys, ``ck_<id>_<secret><checksum>``: their spelling, and what is kept of them."""

import base64
import hashlib
import hmac
import re
import zlib
from typing import Final
from uuid import UUID

import msgspec

_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
ENTROPY_BYTES: Final = _ID_BYTES + _SECRET_BYTES

# The letters that id, secret and checksum come to.
_KEY: Final = re.compile(r"ck_([a-z2-7]{13})_([a-z2-7]{52})([a-z2-7]{7})")
_ID: Final = re.compile(r"ck_[a-z2-7]{13}")


class NewKey(msgspec.Struct, frozen=True):
    """A key on the one occasion that it is shown."""

    key_id: str
    text: str


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _checksum(key_id: str, secret: str) -> str:
    return _letters(zlib.crc32(f"{key_id}_{secret}".encode()).to_bytes(4, "big"))


def mint(entropy: bytes) -> NewKey:
    """Spell a key from 40 random bytes. The checksum lets a scanner tell a key from noise."""
    key_id = _letters(entropy[:_ID_BYTES])
    secret = _letters(entropy[_ID_BYTES:ENTROPY_BYTES])
    return NewKey(f"ck_{key_id}", f"ck_{key_id}_{secret}{_checksum(key_id, secret)}")


def id_of(text: str) -> str | None:
    """Return the key's id; ``None`` when ``text`` is no key, which costs no look-up."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    key_id, secret, checksum = match.groups()
    if not hmac.compare_digest(_checksum(key_id, secret), checksum):
        return None
    return f"ck_{key_id}"


def is_key_id(text: str) -> bool:
    """Whether ``text`` is spelled as the id of a key: the part that is no secret."""
    return _ID.fullmatch(text) is not None


def number_of(key_id: str) -> UUID:
    """Return an id of 64 bits as one of 128, as cursors have them.

    >>> key_of(number_of("ck_aebagbafaydqq"))
    'ck_aebagbafaydqq'
    """
    letters = key_id.removeprefix("ck_").upper()
    return UUID(bytes=base64.b32decode(letters + "===") + bytes(8))


def key_of(number: UUID) -> str:
    """Return the id behind :func:`number_of`."""
    return f"ck_{_letters(number.bytes[:_ID_BYTES])}"


def hash_of(text: str, *, secret: str) -> bytes:
    """Return what is stored: a keyed hash, useless to who reads the database alone."""
    return hmac.digest(secret.encode(), b"api-key:" + text.encode(), hashlib.sha256)
