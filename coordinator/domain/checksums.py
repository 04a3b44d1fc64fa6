"""Declared checksums: ``sha256:<hex>`` of the whole file, ``sha256-tree:<root>`` of its chunks."""

import base64
import binascii
import re
from typing import Final

import msgspec

from coordinator.domain.errors import InvalidFieldError

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_ROOT: Final = re.compile(r"([A-Za-z0-9+/]{43}=)-([1-9][0-9]{0,4})")
_WHOLE: Final = "sha256:"
_TREE: Final = "sha256-tree:"


class Declared(msgspec.Struct, frozen=True):
    """What a client says that its file is; one of the two, or neither."""

    sha256: bytes | None = None
    root: str | None = None


NOTHING: Final = Declared()


def parse_digest(text: str, *, field: str) -> bytes:
    """Read one sha256 of 64 lower-case hex digits.

    Raises:
        InvalidFieldError: it is something else.

    """
    if not _HEX.fullmatch(text):
        raise InvalidFieldError(field, "A sha256 is 64 lower-case hex digits.")
    return bytes.fromhex(text)


def parse_declared(text: str | None, *, field: str = "checksum") -> Declared:
    """Read a declared checksum.

    >>> parse_declared(None)
    Declared(sha256=None, root=None)

    Raises:
        InvalidFieldError: it has neither of the two forms.

    """
    if text is None:
        return Declared()
    if text.startswith(_TREE):
        return Declared(root=_parse_root(text.removeprefix(_TREE), field=field))
    if text.startswith(_WHOLE):
        return Declared(sha256=parse_digest(text.removeprefix(_WHOLE), field=field))
    raise InvalidFieldError(
        field, "Declare `sha256:<64 hex digits>` or `sha256-tree:<base64>-<number of chunks>`."
    )


def _parse_root(text: str, *, field: str) -> str:
    match = _ROOT.fullmatch(text)
    try:
        if match and base64.b64encode(base64.b64decode(match[1])).decode() == match[1]:
            return text
    except binascii.Error:
        pass
    raise InvalidFieldError(field, "A root is base64 of 32 bytes, a dash, and the chunk count.")
