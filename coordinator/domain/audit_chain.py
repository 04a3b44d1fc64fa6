"""The hash chain over a tenant's audit: what is hashed, and how a chain is checked.

A link's hash is SHA-256 of the hash before it (32 zero bytes before the first) and the row's
canonical bytes: the row as it is exported, as UTF-8 JSON without spaces, the keys of every object
sorted by code point. This never changes for rows that exist: others check exports by it, too.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from coordinator.domain import ids

FIRST: Final = bytes(32)

_WINDOW: Final = 1_000  # how many rows may have been put in between and still be named

Entry = Mapping[str, Any]
"""One row of ``audit`` as :func:`spell` spells it."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``audit_chain`` and the row that it is about; ``None``: that one is gone."""

    position: int
    audit_id: int
    hash: bytes
    entry: Entry | None


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a chain as it was exported."""

    tenant: str
    position: int
    hash: bytes
    chained_at: datetime


def spell(
    *,
    row_id: int,
    at: datetime | None,
    tenant: str,
    actor: str,
    action: str,
    upload_id: UUID | None,
    subject: str | None,
    facts: Any,
) -> dict[str, Any]:
    """Return a row as it is exported and hashed; without ``at`` it has a time that no row gets."""
    moment = None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")
    return {
        "id": row_id,
        "at": None if moment is None else moment.replace("+00:00", "Z"),
        "tenant": tenant,
        "actor": actor,
        "action": action,
        "uploadId": None if upload_id is None else ids.encode(ids.UPLOAD, upload_id),
        "subject": subject,
        "facts": facts,
    }


def canonical(entry: Entry) -> bytes:
    """Return the bytes of a row that are hashed.

    >>> canonical({"id": 7, "actor": "worker", "facts": {"b": 1, "a": "ü"}}).decode()
    '{"actor":"worker","facts":{"a":"ü","b":1},"id":7}'
    """
    text = json.dumps(dict(entry), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def next_hash(previous: bytes, entry: Entry) -> bytes:
    """Return the hash of the link that follows the one with the hash ``previous``."""
    return hashlib.sha256(previous + canonical(entry)).digest()


class Fault(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    LINK_CHANGED = "link-changed"
    LINKS_MISSING = "links-missing"
    UNPROVEN = "unproven"
    TAIL_MISSING = "tail-missing"
    HEAD_DIFFERS = "head-differs"
    HEAD_MISSING = "head-missing"
    NOT_CHAINED = "not-chained"
    UNREADABLE = "unreadable"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, and where; ``says`` is for people."""

    fault: Fault
    says: str
    position: int | None = None
    audit_id: int | None = None


class _Suspect(msgspec.Struct, frozen=True):
    """A link whose hash does not follow. Its successor tells whether row or hash was changed."""

    link: Link
    computed: bytes


class ChainCheck:
    """Checks one chain, link by link in the order of their positions, in bounded memory.

    ``head`` is the end that was exported, if there is one. ``previous`` is taken on trust where
    the first link is not the chain's first: an export may begin later.
    """

    def __init__(self, head: Head | None = None, *, previous: bytes | None = None) -> None:
        self._head = head
        self._trusted = previous
        self._position = 0
        self._before: deque[tuple[int, int, bytes]] = deque([(0, 0, FIRST)], maxlen=_WINDOW)
        self._suspect: _Suspect | None = None
        self.count = 0

    def feed(self, link: Link) -> Iterator[Finding]:
        """Check the next link; what is wrong may be found one link later."""
        yield from self._follows(link)
        if link.entry is None:
            yield from self._settle()
            yield _removed(link)
        elif not self._before:
            yield _unproven(link)
        elif next_hash(self._before[-1][2], link.entry) == link.hash:
            yield from self._settle()
        else:
            yield from self._explain(link, link.entry)
        if self._suspect is None or self._suspect.link is not link:
            yield from self._compare(link)
        self._position = link.position
        self._before.append((link.position, link.audit_id, link.hash))
        self.count += 1

    def finish(self) -> Iterator[Finding]:
        """Say what is wrong with the end."""
        suspect, head = self._suspect, self._head
        if suspect is not None and head is not None and head.hash == suspect.computed:
            self._suspect = None
            yield _link_changed(suspect.link)
        else:
            yield from self._settle()
        if head is not None and head.position > self._position:
            yield Finding(
                fault=Fault.TAIL_MISSING,
                position=self._position,
                says=f"the tail after position {self._position} is missing: "
                f"{head.position - self._position} row(s), up to {head.position}, were exported",
            )

    def _follows(self, link: Link) -> Iterator[Finding]:
        """See that no position is left out; what follows a gap has nothing to be proven by."""
        if self.count == 0 and link.position > 1 and self._trusted is not None:
            self._before = deque([(link.position - 1, 0, self._trusted)], maxlen=_WINDOW)
        elif link.position != self._position + 1:
            yield from self._settle()
            yield _gap(self._position + 1, link.position - 1)
            self._before.clear()

    def _explain(self, link: Link, entry: Entry) -> Iterator[Finding]:
        """Find out what makes a hash not follow from the one before it."""
        suspect = self._suspect
        if suspect is not None and next_hash(suspect.computed, entry) == link.hash:
            self._suspect = None
            yield _link_changed(suspect.link)
            return
        place = self._place(link, entry)
        if place is not None:
            self._suspect = None
            for position, audit_id, _hash in list(self._before)[place + 1 :]:
                yield Finding(
                    fault=Fault.INSERTED,
                    position=position,
                    audit_id=audit_id,
                    says=f"row {audit_id} at position {position} was put into the chain afterwards",
                )
            return
        yield from self._settle()
        self._suspect = _Suspect(link, next_hash(self._before[-1][2], entry))

    def _place(self, link: Link, entry: Entry) -> int | None:
        """Return after which of the links before it ``link`` stood once, if after one of them."""
        for place in range(len(self._before) - 2, -1, -1):
            if next_hash(self._before[place][2], entry) == link.hash:
                return place
        return None

    def _settle(self) -> Iterator[Finding]:
        """The link in doubt was hashed once as it stands: its row is another now."""
        if self._suspect is not None:
            link, self._suspect = self._suspect.link, None
            yield _changed(link)
            yield from self._compare(link)

    def _compare(self, link: Link) -> Iterator[Finding]:
        """See that the chain leads to the head that was exported."""
        head = self._head
        if head is not None and link.position == head.position and link.hash != head.hash:
            yield Finding(
                fault=Fault.HEAD_DIFFERS,
                position=link.position,
                says=f"the chain up to position {link.position} is not the one whose head was "
                "exported: it was hashed anew",
            )


def _gap(first: int, last: int) -> Finding:
    where = f"position {first}" if first == last else f"positions {first} to {last}"
    says = f"the chain's entries at {where} are missing, with what was noted there"
    if last < first:
        says = f"after position {first - 1} comes position {last + 1}, out of its order"
    return Finding(fault=Fault.LINKS_MISSING, position=first, says=says)


def _changed(link: Link) -> Finding:
    return Finding(
        fault=Fault.CHANGED,
        position=link.position,
        audit_id=link.audit_id,
        says=f"row {link.audit_id} at position {link.position} was changed",
    )


def _removed(link: Link) -> Finding:
    return Finding(
        fault=Fault.REMOVED,
        position=link.position,
        audit_id=link.audit_id,
        says=f"row {link.audit_id} at position {link.position} was removed",
    )


def _link_changed(link: Link) -> Finding:
    return Finding(
        fault=Fault.LINK_CHANGED,
        position=link.position,
        audit_id=link.audit_id,
        says=f"the chain's entry at position {link.position} was changed; "
        f"row {link.audit_id} is as it was",
    )


def _unproven(link: Link) -> Finding:
    return Finding(
        fault=Fault.UNPROVEN,
        position=link.position,
        audit_id=link.audit_id,
        says=f"row {link.audit_id} at position {link.position} cannot be proven: "
        "what stood before it is missing",
    )
