"""The end of an audit chain as it stands outside the database: in the bucket, or in a file."""

from datetime import datetime
from typing import Final

import msgspec

from coordinator.domain.audit_chain import Head

_HEX_DIGITS: Final = 64
_ABOUT: Final = (
    "The end of the audit's hash chain of one tenant. `coordinator audit verify` compares it with "
    "the database: without it nobody could see that the newest rows were cut off."
)


class _Spelled(msgspec.Struct, rename="camel", kw_only=True):
    tenant: str
    position: int
    hash: str
    chained_at: datetime
    about: str = _ABOUT


def encode(head: Head) -> bytes:
    """Spell a head as JSON."""
    spelled = _Spelled(
        tenant=head.tenant,
        position=head.position,
        hash=head.hash.hex(),
        chained_at=head.chained_at,
    )
    return msgspec.json.format(msgspec.json.encode(spelled))


def decode(text: bytes) -> Head:
    """Read a head back.

    Raises:
        ValueError: it is none.

    """
    spelled = msgspec.json.decode(text, type=_Spelled)
    if len(spelled.hash) != _HEX_DIGITS:
        raise ValueError("a hash has 64 hexadecimal digits")
    return Head(
        tenant=spelled.tenant,
        position=spelled.position,
        hash=bytes.fromhex(spelled.hash),
        chained_at=spelled.chained_at,
    )
