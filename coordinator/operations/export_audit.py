"""Give out the audit page by page, each row with its place in the hash chain."""

import struct
from typing import Final
from uuid import UUID

import msgspec

from coordinator.adapters import audit, audit_chain
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.stores import Stores
from coordinator.domain import audit_lines, cursors
from coordinator.domain.audit_chain import FIRST

_PLACES: Final = struct.Struct(">qq")


class Place(msgspec.Struct, frozen=True):
    """How far an export has come: the chain's position, and the last id of what is in no chain."""

    position: int = 0
    unchained: int = 0


class Page(msgspec.Struct, frozen=True):
    """Some lines, and where the next page begins, if there is one."""

    lines: bytes
    next: Place | None


def encode(place: Place) -> str:
    """Spell a place as a cursor."""
    return cursors.wrap(_PLACES.pack(place.position, place.unchained))


def decode(text: str) -> Place:
    """Read a cursor back.

    Raises:
        InvalidFieldError: it is none of ours.

    """
    packed = cursors.unwrap(text)
    if len(packed) != _PLACES.size:
        raise cursors.not_ours()
    place = Place(*_PLACES.unpack(packed))
    if place.position < 0 or place.unchained < 0:
        raise cursors.not_ours()
    return place


async def export_audit(
    stores: Stores, tenant: str, start: Place, *, limit: int, actor: str
) -> Page:
    """Return up to ``limit`` rows after ``start``, and note that they were given out.

    First what is chained, in the chain's order, then what is not yet. What is chained between two
    pages is given out once more, with its place: nothing is left out.
    """
    async with transaction(stores.pool) as tx:
        lines, place = await _chained(tx, tenant, start, limit)
        more = len(lines) == limit
        if not more:
            wanted = limit - len(lines) + 1
            rest = await audit_chain.read_unchained(tx, tenant, after=start.unchained, limit=wanted)
            more = len(rest) == wanted
            rest = rest[: wanted - 1]
            lines += [audit_lines.encode_unchained(entry) for entry in rest]
            place = Place(place.position, rest[-1]["id"] if rest else start.unchained)
        await audit.append(
            tx,
            "audit.exported",
            tenant=tenant,
            actor=actor,
            rows=len(lines),
            after_position=start.position,
            to_position=place.position,
        )
    return Page(b"".join(lines), place if more else None)


async def read_of_upload(
    stores: Stores, tenant: str, upload_id: UUID, start: Place, *, limit: int, actor: str
) -> Page:
    """Return up to ``limit`` rows about one upload, and note that they were given out.

    They are out of their chain, and so without a place in it: whoever must prove them exports all.
    """
    async with transaction(stores.pool) as tx:
        found = await audit_chain.read_of_upload(
            tx, tenant, upload_id, after=start.unchained, limit=limit + 1
        )
        page = found[:limit]
        last = page[-1]["id"] if page else start.unchained
        await audit.append(
            tx,
            "audit.exported",
            tenant=tenant,
            actor=actor,
            upload_id=upload_id,
            rows=len(page),
        )
    lines = b"".join(audit_lines.encode_unchained(entry) for entry in page)
    return Page(lines, Place(0, last) if len(found) > limit else None)


async def _chained(tx: Tx, tenant: str, start: Place, limit: int) -> tuple[list[bytes], Place]:
    previous = FIRST
    if start.position:
        previous = await audit_chain.hash_at(tx, tenant, start.position) or FIRST
    lines, position = [], start.position
    for link in await audit_chain.read_links(tx, tenant, after=position, limit=limit):
        lines.append(audit_lines.encode(tenant, link, previous=previous))
        previous, position = link.hash, link.position
    return lines, Place(position, start.unchained)
