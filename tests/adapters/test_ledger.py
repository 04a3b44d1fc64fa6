"""The ledger: what clients report, cheap, checked for its owner, and never more than advice."""

import hashlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from redis.asyncio import Redis

from coordinator.adapters import ledger as ledger_module
from coordinator.adapters.ledger import Chunks, Ledger, Report, Reported
from coordinator.adapters.postgres import Pool
from coordinator.domain.errors import (
    CoordinatorError,
    InvalidFieldError,
    UploadNotFoundError,
    WrongPhaseError,
)
from coordinator.domain.phases import Phase
from coordinator.domain.uploads import Owner, Upload
from tests.builders import add_upload

_ALICE = Owner("default", "alice")
_MD5, _OTHER_MD5 = "5d41402abc4b2a76b9719d911017c592", "7d793037a0760186574b0282f2f435e7"


@pytest.fixture
async def upload(pool: Pool, ledger: Ledger) -> Upload:
    """An upload of ten chunks with an open ledger."""
    added = await add_upload(pool)
    await ledger.open(added)
    return added


async def _report(ledger: Ledger, upload: Upload, *reports: Report) -> Reported | None:
    return await ledger.report(upload.id, _ALICE, reports)


async def test_a_chunk_is_reported_once_and_then_known(ledger: Ledger, upload: Upload) -> None:
    """A client that repeats itself is told so, and counts once."""
    answers = [await _report(ledger, upload, Report(3, _MD5)) for _ in range(2)]

    assert answers == [Reported(["uploaded"], 1, 10), Reported(["already_uploaded"], 1, 10)]
    assert await ledger.read(upload.id) == Chunks(frozenset({3}), frozenset())


async def test_another_etag_replaces_the_first(ledger: Ledger, upload: Upload) -> None:
    """The chunk was sent again: news, but no second chunk."""
    etags = [_MD5, _OTHER_MD5, _OTHER_MD5, f'"{_OTHER_MD5}"', None]
    answers = [await _report(ledger, upload, Report(3, etag)) for etag in etags]

    words = ["uploaded", "uploaded", "already_uploaded", "already_uploaded", "already_uploaded"]
    assert answers == [Reported([word], 1, 10) for word in words]


async def test_many_are_answered_in_their_order(ledger: Ledger, upload: Upload) -> None:
    """Across the hashes of a hundred, failed ones and known ones among them."""
    await _report(ledger, upload, Report(1))

    answer = await _report(
        ledger, upload, Report(9, _MD5), Report(1), Report(0, failed=True), Report(4, "weird")
    )

    assert answer == Reported(["uploaded", "already_uploaded", "failed", "uploaded"], 3, 10)
    assert await ledger.read(upload.id) == Chunks(frozenset({1, 4, 9}), frozenset({0}))


async def test_failed_lasts_until_it_is_reported_as_uploaded(
    ledger: Ledger, upload: Upload
) -> None:
    """And the other way about: a chunk that failed again has not arrived."""
    seen = []
    for report in (Report(2, failed=True), Report(2, _MD5), Report(2, failed=True)):
        answer = await _report(ledger, upload, report)
        seen.append((answer, await ledger.read(upload.id)))

    assert seen == [
        (Reported(["failed"], 0, 10), Chunks(frozenset(), frozenset({2}))),
        (Reported(["uploaded"], 1, 10), Chunks(frozenset({2}), frozenset())),
        (Reported(["failed"], 0, 10), Chunks(frozenset(), frozenset({2}))),
    ]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"owner": Owner("default", "bob")}, UploadNotFoundError),
        ({"owner": Owner("other", "alice")}, UploadNotFoundError),
        ({"owner": Owner("other", None)}, UploadNotFoundError),
        ({"total": 11}, InvalidFieldError),
        ({"reports": [Report(5, _MD5), Report(10, _MD5)]}, InvalidFieldError),
    ],
)
async def test_a_refused_report_notes_nothing(
    ledger: Ledger, upload: Upload, change: dict[str, Any], refusal: type[CoordinatorError]
) -> None:
    """All or none: the good chunk before the bad one is not noted either."""
    usual: dict[str, Any] = {"owner": _ALICE, "reports": [Report(5, _MD5)], "total": 10}

    with pytest.raises(refusal):
        await ledger.report(upload.id, **{**usual, **change})

    assert await ledger.read(upload.id) == Chunks(frozenset(), frozenset())


async def test_the_tenants_backend_reports_for_anybody_in_it(
    ledger: Ledger, upload: Upload
) -> None:
    """Owner without a user: a key of scope act-as."""
    answer = await ledger.report(upload.id, Owner("default", None), [Report(0)], total=10)

    assert answer == Reported(["uploaded"], 1, 10)


@pytest.mark.parametrize("phase", [Phase.ASSEMBLING, Phase.COMPLETED, Phase.FAILED])
async def test_an_upload_that_is_frozen_or_over_takes_no_reports(
    pool: Pool, ledger: Ledger, phase: Phase
) -> None:
    """The head carries the phase, so Postgres need not be asked."""
    upload = await add_upload(pool)
    await ledger.open(msgspec.structs.replace(upload, phase=phase))

    with pytest.raises(WrongPhaseError) as refusal:
        await _report(ledger, upload, Report(0))

    assert refusal.value.facts == {"phase": phase, "reason": None}


async def test_what_redis_does_not_know_is_a_miss(ledger: Ledger, pool: Pool) -> None:
    """The caller rebuilds; nothing is noted for an upload without a head."""
    upload = await add_upload(pool)

    answer = await _report(ledger, upload, Report(0, _MD5))

    assert (answer, await ledger.read(upload.id)) == (None, None)


async def test_rebuilding_replaces_what_was_known(ledger: Ledger, upload: Upload) -> None:
    """S3 knows better; a chunk that it holds under the same ETag is no news."""
    await _report(ledger, upload, Report(1, _MD5), Report(2, failed=True))

    await ledger.rebuild(upload, {7: _MD5, 8: "weird"})

    assert await ledger.read(upload.id) == Chunks(frozenset({7, 8}), frozenset())
    assert await _report(ledger, upload, Report(7, _MD5), Report(8, "weird")) == Reported(
        ["already_uploaded", "already_uploaded"], 2, 10
    )


async def test_forgetting_leaves_no_key(ledger: Ledger, upload: Upload, redis: Redis) -> None:
    """Redis holds nothing of uploads that are over, whatever they had."""
    await _report(ledger, upload, *(Report(index, _MD5) for index in range(10)))

    await ledger.forget(upload)

    assert [key async for key in redis.scan_iter(f"{{{upload.public_id}}}*")] == []


async def test_ten_thousand_chunks_cost_at_most_256_kib(
    pool: Pool, ledger: Ledger, redis: Redis
) -> None:
    """The promise is about the largest session, by Redis's own count."""
    upload = await add_upload(pool, size_bytes=100_000)
    await ledger.open(upload)
    for first in range(0, 10_000, 1_000):
        chunks = range(first, first + 1_000)
        reports = [Report(at, hashlib.md5(str(at).encode()).hexdigest()) for at in chunks]
        answer = await _report(ledger, upload, *reports)
        assert answer == Reported(["uploaded"] * 1_000, first + 1_000, 10_000)

    keys = [key async for key in redis.scan_iter(f"{{{upload.public_id}}}*", count=1_000)]
    bytes_used = [await redis.memory_usage(key, samples=0) or 0 for key in keys]
    lifetimes = [await redis.pttl(key) for key in keys]

    assert sum(bytes_used) <= 256 * 1024
    assert len(keys) == 103  # head, two bitmaps, and a hash for every hundred
    assert all(0 < each <= timedelta(days=7).total_seconds() * 1000 for each in lifetimes)


async def test_a_report_is_one_round_trip(ledger: Ledger, upload: Upload, redis: Redis) -> None:
    """Seen by Redis itself: commands of clients, without what the script then does inside."""
    await _report(ledger, upload, Report(0))
    seen: list[str] = []

    async with redis.monitor() as monitor:
        for index in range(3):
            await _report(ledger, upload, Report(index, _MD5), Report(9 - index, failed=True))
        await redis.echo(upload.public_id)
        while not seen or not seen[-1].startswith("ECHO"):
            command = await monitor.next_command()
            if command["client_type"] != "lua" and upload.public_id in command["command"]:
                seen.append(command["command"])

    assert [line.split()[0] for line in seen] == ["EVALSHA", "EVALSHA", "EVALSHA", "ECHO"]


_ETAGS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)
_HEX = st.text("0123456789abcdefABCDEF", min_size=30, max_size=34)


def _bytes_as_hex(etag: str) -> str:
    return ('"' + etag.strip('"')).encode().hex()


@given(st.one_of(_ETAGS, _HEX), st.one_of(_ETAGS, _HEX))
@example("fifteen-letters", "")  # the mark before it makes 16 bytes, as many as an MD5 has
def test_etags_are_packed_alike_only_if_they_are_alike(one: str, two: str) -> None:
    """ETags are opaque (SSE-KMS gives no MD5); only the quotes around them mean nothing."""
    for other in (two, one.swapcase(), f'"{one}"', _bytes_as_hex(one)):
        packed = {ledger_module._pack(one), ledger_module._pack(other)}
        assert len(packed) == len({one.strip('"'), other.strip('"')})


@given(st.binary(min_size=16, max_size=16).filter(lambda digest: digest[:1] != b'"'))
def test_the_usual_etag_costs_16_bytes(digest: bytes) -> None:
    """Half of what its text would cost, 10,000 times."""
    assert ledger_module._pack(f'"{digest.hex()}"') == digest
