"""Opaque cursors: bytes in base64, one spelling each; those over (created_at, id) are here."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from coordinator.domain.errors import InvalidFieldError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BYTES: Final = 8 + 16


def encode(created_at: datetime, row_id: UUID) -> str:
    """Spell the place after a row."""
    micros = (created_at - _EPOCH) // timedelta(microseconds=1)
    return wrap(micros.to_bytes(8, "big") + row_id.bytes)


def decode(text: str) -> tuple[datetime, UUID]:
    """Read a cursor back.

    >>> row = (datetime(2026, 1, 2, tzinfo=UTC), UUID(int=7))
    >>> decode(encode(*row)) == row
    True

    Raises:
        InvalidFieldError: it is none of ours.

    """
    packed = unwrap(text)
    if len(packed) != _BYTES:
        raise not_ours()
    try:
        moment = _EPOCH + timedelta(microseconds=int.from_bytes(packed[:8], "big"))
    except OverflowError:
        raise not_ours() from None
    return moment, UUID(bytes=packed[8:])


def wrap(packed: bytes) -> str:
    """Spell a place, whatever it consists of."""
    return base64.urlsafe_b64encode(packed).decode()


def unwrap(text: str) -> bytes:
    """Read back what :func:`wrap` has spelled.

    Raises:
        InvalidFieldError: it is none of ours.

    """
    try:
        packed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise not_ours() from None
    if wrap(packed) != text:
        raise not_ours()
    return packed


def not_ours() -> InvalidFieldError:
    """Build the refusal of a cursor that no answer had."""
    return InvalidFieldError("cursor", "Send the cursor of an answer, or none.")
