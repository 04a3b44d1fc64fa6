"""`sign_chunks()`: the first committed digest of a chunk is final, whoever races."""

import asyncio
import random
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from coordinator.adapters import signings
from coordinator.adapters.postgres import Pool, transaction
from coordinator.adapters.signings import Signing
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.phases import TRANSITIONS, Event, Phase
from coordinator.domain.uploads import Owner, Upload
from tests.builders import add_upload, row_of, rows, until_waiting

_ALICE = Owner("default", "alice")
_A, _B = b"a" * 32, b"b" * 32


async def _fix(pool: Pool, upload: Upload, chunks: Mapping[int, bytes]) -> Signing:
    async with pool.connection() as conn:
        return await signings.fix(conn, upload.id, _ALICE, list(chunks), list(chunks.values()))


async def _stored(pool: Pool, upload: Upload) -> list[tuple[int, list[int], list[bytes]]]:
    query = "SELECT generation, indexes, digests FROM signings WHERE upload_id = %s ORDER BY id"
    found = await rows(pool, query, [upload.id])
    return [(row["generation"], row["indexes"], row["digests"]) for row in found]


async def test_a_batch_is_one_row_in_the_order_of_its_indexes(pool: Pool) -> None:
    """Clients ask in any order; readers need not sort."""
    upload = await add_upload(pool)

    answer = await _fix(pool, upload, {7: _A, 2: _B, 4: _A})

    assert answer.conflicts == []
    assert await _stored(pool, upload) == [(1, [2, 4, 7], [_B, _A, _A])]


async def test_the_same_digest_again_stores_nothing(pool: Pool) -> None:
    """A client that resumes signs what it signed before."""
    upload = await add_upload(pool)
    await _fix(pool, upload, {0: _A, 1: _B})

    answers = [await _fix(pool, upload, chunks) for chunks in ({1: _B, 0: _A}, {1: _B})]

    assert [answer.conflicts for answer in answers] == [[], []]
    assert await _stored(pool, upload) == [(1, [0, 1], [_A, _B])]


async def test_overlapping_batches_store_what_is_new(pool: Pool) -> None:
    """An index stands in one row only, gaps between batches included."""
    upload = await add_upload(pool)

    for chunks in ({0: _A, 1: _A, 5: _A}, {1: _A, 2: _B, 5: _A}, {3: _B, 9: _B}):
        assert (await _fix(pool, upload, chunks)).conflicts == []

    assert await _stored(pool, upload) == [
        (1, [0, 1, 5], [_A, _A, _A]),
        (1, [2], [_B]),
        (1, [3, 9], [_B, _B]),
    ]


async def test_a_conflict_names_its_chunks_in_order_and_stores_nothing(pool: Pool) -> None:
    """Half a batch stored would fix digests of a file that the client has given up."""
    upload = await add_upload(pool)
    await _fix(pool, upload, {0: _A, 3: _A, 8: _A})

    answer = await _fix(pool, upload, {8: _B, 9: _B, 3: _B, 0: _A})

    assert answer.conflicts == [3, 8]
    assert await _stored(pool, upload) == [(1, [0, 3, 8], [_A, _A, _A])]


async def test_a_digest_stays_final_in_a_new_generation(pool: Pool) -> None:
    """S3 may lose a multipart; the file is the same file."""
    upload = await add_upload(pool)
    await _fix(pool, upload, {0: _A})
    await rows(pool, "UPDATE uploads SET generation = 2 WHERE id = %s RETURNING id", [upload.id])

    answers = [await _fix(pool, upload, chunks) for chunks in ({0: _B}, {0: _A, 1: _B})]

    assert [answer.conflicts for answer in answers] == [[0], []]
    assert await _stored(pool, upload) == [(1, [0], [_A]), (2, [1], [_B])]


async def test_the_second_signer_waits_for_the_first_and_conflicts(pool: Pool) -> None:
    """Its look at the digests must be younger than its wait for the lock."""
    upload = await add_upload(pool)
    async with pool.connection() as second:
        async with transaction(pool) as first:
            won = await signings.fix(first, upload.id, _ALICE, [0], [_A])
            racing = asyncio.create_task(signings.fix(second, upload.id, _ALICE, [0], [_B]))
            await until_waiting(pool, second)
            assert not racing.done()
        lost = await racing

    assert (won.conflicts, lost.conflicts) == ([], [0])
    assert await _stored(pool, upload) == [(1, [0], [_A])]


async def test_a_signer_that_waited_for_a_rollback_is_the_first(pool: Pool) -> None:
    """Only a committed digest is final."""
    upload = await add_upload(pool)
    async with pool.connection() as second, pool.connection() as first:
        async with first.transaction(force_rollback=True):
            await signings.fix(first, upload.id, _ALICE, [0], [_A])
            racing = asyncio.create_task(signings.fix(second, upload.id, _ALICE, [0], [_B]))
            await until_waiting(pool, second)
        answer = await racing

    assert answer.conflicts == []
    assert await _stored(pool, upload) == [(1, [0], [_B])]


def _random_batch(source: random.Random) -> dict[int, bytes]:
    indexes = source.sample(range(10), source.randint(1, 4))
    return {index: source.choice([_A, _B]) for index in indexes}


async def test_of_twenty_racing_signers_each_chunk_keeps_one_digest(pool: Pool) -> None:
    """Who was answered without conflicts holds URLs for exactly the digests that stand."""
    for seed in range(25):
        upload = await add_upload(pool)
        source = random.Random(seed)
        batches = [_random_batch(source) for _ in range(20)]

        answers = await asyncio.gather(*(_fix(pool, upload, batch) for batch in batches))

        stored = await _stored(pool, upload)
        standing = {at: digest for row in stored for at, digest in zip(*row[1:], strict=True)}
        assert sum(len(indexes) for _, indexes, _ in stored) == len(standing), seed
        for batch, answer in zip(batches, answers, strict=True):
            wrong = {index for index, digest in batch.items() if standing.get(index) != digest}
            assert set(answer.conflicts) <= wrong, seed
            assert bool(answer.conflicts) == bool(wrong), seed


@pytest.mark.parametrize("phase", Phase)
async def test_the_phase_moves_as_the_table_of_phases_says(pool: Pool, phase: Phase) -> None:
    """The SQL repeats one line of `domain.phases.TRANSITIONS`; this holds the two together."""
    upload = await add_upload(pool)
    await _force(pool, upload, phase)

    answer = await _fix(pool, upload, {0: _A})

    following = TRANSITIONS.get((phase, Event.SIGN))
    assert (answer.upload.phase, answer.conflicts) == (phase, [])
    assert (await row_of(pool, upload.id)).phase is (following or phase)
    assert await _stored(pool, upload) == ([(1, [0], [_A])] if following else [])


async def _force(pool: Pool, upload: Upload, phase: Phase) -> None:
    query = """
    UPDATE uploads SET phase = %(phase)s,
           intent = CASE WHEN %(phase)s = 'ASSEMBLING' THEN 'complete' END,
           reason = CASE WHEN %(phase)s = 'FAILED' THEN 'aborted' END,
           finished_at = CASE WHEN %(phase)s IN ('COMPLETED', 'FAILED') THEN now() END
     WHERE id = %(id)s
    """
    async with pool.connection() as conn:
        await conn.execute(query, {"phase": phase, "id": upload.id})


@pytest.mark.parametrize("indexes", [[10], [-1], [0, 10], [0, 2_000_000_000]])
async def test_an_index_out_of_range_stores_nothing(pool: Pool, indexes: Sequence[int]) -> None:
    """Ten chunks are 0 to 9; the caller reads from the row that it was refused."""
    upload = await add_upload(pool, size_bytes=95)

    answer = await _fix(pool, upload, dict.fromkeys(indexes, _A))

    assert (answer.upload.phase, answer.conflicts) == (Phase.INIT, [])
    assert await _stored(pool, upload) == []


@pytest.mark.parametrize(("size_bytes", "last"), [(0, 0), (1, 0), (10, 0), (11, 1), (100, 9)])
async def test_the_last_chunk_can_be_signed_and_the_one_behind_it_not(
    pool: Pool, size_bytes: int, last: int
) -> None:
    """An empty file has one chunk too."""
    upload = await add_upload(pool, size_bytes=size_bytes)

    await _fix(pool, upload, {last + 1: _A})
    await _fix(pool, upload, {last: _A})

    assert await _stored(pool, upload) == [(1, [last], [_A])]


@pytest.mark.parametrize(
    "owner", [Owner("default", "bob"), Owner("other", "alice"), Owner("other", None)]
)
async def test_nobody_signs_for_somebody_else(pool: Pool, owner: Owner) -> None:
    """A foreign upload looks like none at all."""
    upload = await add_upload(pool)

    with pytest.raises(UploadNotFoundError):
        async with pool.connection() as conn:
            await signings.fix(conn, upload.id, owner, [0], [_A])

    assert await _stored(pool, upload) == []


async def test_nothing_is_stored_after_the_deadline(pool: Pool) -> None:
    """The database's clock decides, and the answer carries its time."""
    upload = await add_upload(pool, lifetime=timedelta(seconds=-1))

    answer = await _fix(pool, upload, {0: _A})

    assert answer.upload.as_of > answer.upload.deadline
    assert (answer.upload.phase, await _stored(pool, upload)) == (Phase.INIT, [])


async def test_a_thousand_chunks_are_one_round_trip(pool: Pool, tmp_path: Path) -> None:
    """Counted in libpq's own trace: the server says once that it is ready for the next query."""
    upload = await add_upload(pool, size_bytes=10_000)
    digests = [index.to_bytes(32, "big") for index in range(1_000)]

    async with pool.connection() as conn:
        with tempfile.TemporaryFile(dir=tmp_path) as trace:
            conn.pgconn.trace(trace.fileno())
            await signings.fix(conn, upload.id, _ALICE, range(1_000), digests)
            conn.pgconn.untrace()
            trace.seek(0)
            written = trace.read()

    assert written.count(b"ReadyForQuery") == 1
    assert await _stored(pool, upload) == [(1, list(range(1_000)), digests)]
