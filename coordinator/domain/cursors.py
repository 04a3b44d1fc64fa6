"""Opaque cursors over (created_at, id), newest first."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from coordinator.domain.errors import InvalidFieldError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTH: Final = 32  # letters, for 24 bytes


def encode(created_at: datetime, row_id: UUID) -> str:
    """Spell the place after a row."""
    micros = (created_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(micros.to_bytes(8, "big") + row_id.bytes).decode()


def decode(text: str) -> tuple[datetime, UUID]:
    """Read a cursor back.

    >>> row = (datetime(2026, 1, 2, tzinfo=UTC), UUID(int=7))
    >>> decode(encode(*row)) == row
    True

    Raises:
        InvalidFieldError: it is none of ours.

    """
    try:
        if len(text) == _LENGTH and "=" not in text:
            packed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            micros = int.from_bytes(packed[:8], "big")
            return _EPOCH + timedelta(microseconds=micros), UUID(bytes=packed[8:])
    except (binascii.Error, UnicodeEncodeError, OverflowError):
        pass
    raise InvalidFieldError("cursor", "Send the `nextCursor` of an answer, or none.")
