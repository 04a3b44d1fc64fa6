"""The chain names what was done to it, and stays silent where nothing was."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest

from coordinator.domain import audit_heads, audit_lines
from coordinator.domain.audit_chain import (
    FIRST,
    ChainCheck,
    Fault,
    Head,
    Link,
    canonical,
    next_hash,
    spell,
)

_AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def _entry(number: int, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "row_id": 100 + number,
        "at": _AT + timedelta(seconds=number),
        "tenant": "t",
        "actor": "ck_1",
        "action": "upload.opened",
        "upload_id": UUID(int=number),
        "subject": "usr_1",
        "facts": {"number": number},
    }
    return spell(**{**row, **changes})


def _chained(entries: Sequence[dict[str, Any]], *, after: bytes = FIRST) -> list[Link]:
    links, previous = [], after
    for position, entry in enumerate(entries, start=1):
        previous = next_hash(previous, entry)
        links.append(Link(position=position, audit_id=entry["id"], hash=previous, entry=entry))
    return links


_CHAIN = _chained([_entry(number) for number in range(1, 7)])


def _head(links: Sequence[Link], position: int) -> Head:
    return Head(tenant="t", position=position, hash=links[position - 1].hash, chained_at=_AT)


def _found(
    links: Sequence[Link], head: Head | None = None, *, previous: bytes | None = None
) -> list[tuple[Fault, int | None, int | None]]:
    check = ChainCheck(head, previous=previous)
    found = [finding for link in links for finding in check.feed(link)]
    found += check.finish()
    return [(each.fault, each.position, each.audit_id) for each in found]


def _changed(link: Link, **changes: Any) -> Link:
    return msgspec.structs.replace(link, **changes)


@pytest.mark.parametrize("head", [None, *(_head(_CHAIN, position) for position in range(1, 7))])
def test_a_chain_that_nobody_touched_holds(head: Head | None) -> None:
    """The exported head may lag behind."""
    assert _found(_CHAIN, head) == []


def test_an_empty_chain_holds() -> None:
    """A tenant of which nothing was noted."""
    assert _found([]) == []


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize(
    "change",
    [
        {"actor": "ck_2"},
        {"action": "upload.aborted"},
        {"at": "2026-01-02T03:04:06.678902Z"},
        {"at": None},
        {"tenant": "u"},
        {"uploadId": None},
        {"subject": None},
        {"facts": {}},
        {"facts": {"number": "1"}},
        {"id": 7},
    ],
)
def test_a_row_that_was_changed_is_named(at: int, change: dict[str, Any]) -> None:
    """Whichever column, wherever it stands: and no other row is."""
    entry = _CHAIN[at].entry
    assert entry is not None
    links = [*_CHAIN]
    links[at] = _changed(links[at], entry={**entry, **change})

    named = [(Fault.CHANGED, at + 1, 101 + at)]
    assert _found(links) == _found(links, _head(_CHAIN, 6)) == named


@pytest.mark.parametrize("at", range(6))
def test_a_row_that_was_removed_is_named(at: int) -> None:
    """Its place in the chain still says which it was."""
    links = [*_CHAIN]
    links[at] = _changed(links[at], entry=None)

    assert _found(links, _head(_CHAIN, 6)) == [(Fault.REMOVED, at + 1, 101 + at)]


def test_rows_next_to_each_other_are_all_named() -> None:
    """Two changed and two removed, and the ones around them are not."""
    links = [*_CHAIN]
    for at in (1, 2):
        links[at] = _changed(links[at], entry=_entry(9))
    for at in (3, 4):
        links[at] = _changed(links[at], entry=None)

    assert _found(links, _head(_CHAIN, 6)) == [
        (Fault.CHANGED, 2, 102),
        (Fault.CHANGED, 3, 103),
        (Fault.REMOVED, 4, 104),
        (Fault.REMOVED, 5, 105),
    ]


@pytest.mark.parametrize("at", range(6))
def test_a_hash_that_was_changed_is_told_from_a_row(at: int) -> None:
    """The next link, or the exported head, was made from the one that it had."""
    links = [*_CHAIN]
    links[at] = _changed(links[at], hash=bytes(31) + b"x")

    assert _found(links, _head(_CHAIN, 6)) == [(Fault.LINK_CHANGED, at + 1, 101 + at)]


@pytest.mark.parametrize("at", range(5))
def test_links_that_are_gone_leave_a_gap_and_the_next_row_unproven(at: int) -> None:
    """Nobody can say what stood before it."""
    links = [link for number, link in enumerate(_CHAIN) if number != at]

    assert _found(links) == [
        (Fault.LINKS_MISSING, at + 1, None),
        (Fault.UNPROVEN, at + 2, 102 + at),
    ]


@pytest.mark.parametrize("left", range(6))
def test_a_tail_that_was_cut_off_is_seen_by_the_head_alone(left: int) -> None:
    """What is left is a good chain; so the head must stand where the cutter does not reach."""
    assert _found(_CHAIN[:left]) == []
    assert _found(_CHAIN[:left], _head(_CHAIN, 6)) == [(Fault.TAIL_MISSING, left, None)]


@pytest.mark.parametrize("count", [1, 2])
def test_rows_put_in_between_are_named(count: int) -> None:
    """With good hashes, and everything after them moved on by as many positions."""
    entries = [_entry(50 + number) for number in range(count)]
    before = _CHAIN[:2]
    put = [
        _changed(link, position=2 + link.position)
        for link in _chained(entries, after=before[-1].hash)
    ]
    after = [_changed(link, position=link.position + count) for link in _CHAIN[2:]]

    assert _found([*before, *put, *after]) == [
        (Fault.INSERTED, 3 + number, 150 + number) for number in range(count)
    ]


@pytest.mark.parametrize("at", range(6))
def test_a_tail_that_was_hashed_anew_is_seen_by_the_head_alone(at: int) -> None:
    """The forger has the table; the head in the bucket was made before."""
    entries = [dict(link.entry) for link in _CHAIN if link.entry is not None]
    entries[at] = _entry(at + 1, action="upload.forged")
    forged = _chained(entries)

    assert _found(forged) == []
    assert _found(forged, _head(_CHAIN, 6)) == [(Fault.HEAD_DIFFERS, 6, None)]


def test_a_part_is_proven_from_the_hash_before_it() -> None:
    """An export may begin later; what it takes on trust, it says."""
    assert _found(_CHAIN[3:], previous=_CHAIN[2].hash) == []
    assert _found(_CHAIN[3:], previous=_CHAIN[1].hash) == [(Fault.CHANGED, 4, 104)]


def test_the_bytes_that_are_hashed_never_change() -> None:
    """Rows that were chained years ago must still be proven: this text is a contract."""
    entry = _entry(1, facts={"ü": [1, True, None], "a": "é\n"}, upload_id=None)

    assert (
        canonical(entry)
        == (
            '{"action":"upload.opened","actor":"ck_1","at":"2026-01-02T03:04:06.678901Z",'
            '"facts":{"a":"é\\n","ü":[1,true,null]},"id":101,"subject":"usr_1","tenant":"t",'
            '"uploadId":null}'
        ).encode()
    )
    # By sha256sum, of 32 zero bytes and this text.
    assert next_hash(FIRST, entry).hex() == (
        "051bd65f5578dee6dc2092a96b8583a7f23b7beaaa969849556e87a29da02194"
    )


def test_a_time_is_hashed_in_utc_whatever_the_session_has() -> None:
    """Postgres answers in the session's zone."""
    elsewhere = _AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert canonical(_entry(1, at=elsewhere)) == canonical(_entry(1, at=_AT))


@pytest.mark.parametrize("link", [_CHAIN[2], _changed(_CHAIN[2], entry=None)])
def test_a_line_of_an_export_is_read_back_as_it_was(link: Link) -> None:
    """So a file is checked as the table is."""
    line = audit_lines.decode(audit_lines.encode("t", link, previous=_CHAIN[1].hash))

    assert line == audit_lines.Line("t", link, _CHAIN[1].hash)


def test_a_row_that_is_not_chained_has_no_place_in_its_line() -> None:
    """It is counted, and proven by the next export."""
    line = audit_lines.decode(audit_lines.encode_unchained(_entry(1)))

    assert line == audit_lines.Line("t", None, b"")


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"[]", b"1", b"null", b"{}", b"\xff", b"[" * 100_000),
        b'{"tenant":1}',
        b'{"tenant":"t","position":1}',
        b'{"tenant":"t","position":true,"hash":"","previous":"","id":1}',
        b'{"tenant":"t","position":1,"hash":"zz","previous":"","id":1}',
        b'{"tenant":"t","position":1,"hash":"00","previous":7,"id":1}',
        b'{"tenant":"t","position":1,"hash":"00","previous":"00","id":"1"}',
    ],
)
def test_what_is_no_line_is_refused(text: bytes) -> None:
    """Files come from anywhere."""
    with pytest.raises(ValueError, match=r"."):
        audit_lines.decode(text)


def test_a_head_is_read_back_as_it_was() -> None:
    """By whoever checks a file elsewhere, too."""
    head = _head(_CHAIN, 4)

    assert audit_heads.decode(audit_heads.encode(head)) == head


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"tenant":"t","position":1,"hash":"00"}'])
def test_what_is_no_head_is_refused(text: bytes) -> None:
    """It may have been overwritten."""
    with pytest.raises(ValueError, match=r"."):
        audit_heads.decode(text)
