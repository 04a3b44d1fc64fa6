"""Public ids: a prefix and 128 bits in Crockford's base32, 26 characters.

Decoding is strict, one spelling an id: an id in a log, a key or a URL can be searched as text.
"""

from typing import Final
from uuid import UUID

UPLOAD: Final = "upl_"
JOB: Final = "job_"
ERASURE: Final = "ers_"
EVENT: Final = "evt_"

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH: Final = 26


def encode(prefix: str, value: UUID) -> str:
    """Spell ``value`` as a public id.

    >>> encode(UPLOAD, UUID(int=33))
    'upl_00000000000000000000000011'
    """
    number = value.int
    letters = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return prefix + "".join(letters)


def decode(prefix: str, text: str) -> UUID | None:
    """Read a public id back; ``None`` when ``text`` is not one.

    >>> decode(UPLOAD, "upl_00000000000000000000000011")
    UUID('00000000-0000-0000-0000-000000000021')
    >>> decode(UPLOAD, "upl_0000000000000000000000001U") is None
    True
    """
    letters = text.removeprefix(prefix)
    if len(letters) != _LENGTH or len(text) != len(prefix) + _LENGTH:
        return None
    number = 0
    for letter in letters:
        value = _VALUES.get(letter)
        if value is None:
            return None
        number = number << 5 | value
    return UUID(int=number) if number < 1 << 128 else None
