"""The audit as it is exported: a JSON object a line, the row with its place in the chain.

``hash`` is SHA-256 of ``previous`` (32 bytes) and the canonical bytes of the line without the
members ``position``, ``hash`` and ``previous``. A row that is not chained yet has none of them; of
a row that somebody removed only the place is left, and ``removed``.
"""

import json
from typing import Any, Final

import msgspec

from coordinator.domain.audit_chain import Entry, Link, canonical

_PLACE: Final = ("position", "hash", "previous")


class Line(msgspec.Struct, frozen=True):
    """A line that was read back: a link and the hash before it, or a row that is not chained."""

    tenant: str
    link: Link | None
    previous: bytes


def encode(tenant: str, link: Link, *, previous: bytes) -> bytes:
    """Spell a link and its row."""
    removed = {"id": link.audit_id, "tenant": tenant, "removed": True}
    place = {"position": link.position, "hash": link.hash.hex(), "previous": previous.hex()}
    return canonical({**place, **(removed if link.entry is None else link.entry)}) + b"\n"


def encode_unchained(entry: Entry) -> bytes:
    """Spell a row that is not chained yet."""
    return canonical(entry) + b"\n"


def decode(text: bytes) -> Line:
    """Read a line back.

    Raises:
        ValueError: it is none.

    """
    try:
        row = json.loads(text)
        tenant = _checked(row.get("tenant"), str)
        if "position" not in row:
            return Line(tenant, None, b"")
        position, spelled, previous = (row.pop(name) for name in _PLACE)
        link = Link(
            position=_checked(position, int),
            audit_id=_checked(row.get("id"), int),
            hash=bytes.fromhex(spelled),
            entry=None if "removed" in row else row,
        )
        return Line(tenant, link, bytes.fromhex(previous))
    except (KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError("it is no line of an export") from exc


def _checked(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError
    return value
