"""Rows of `uploads`: locks, the database's clock, and leases that fence by their attempt."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from coordinator.adapters import abandoned, leases, uploads
from coordinator.adapters.leases import LeaseLostError
from coordinator.adapters.postgres import Pool, Tx, transaction
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import UploadNotFoundError
from coordinator.domain.phases import Intent, Phase, Reason
from coordinator.domain.uploads import Owner, Seal, Upload, seal
from tests.builders import a_new_upload, add_upload, row_of, rows, until_waiting

_ALICE = Owner("default", "alice")
_LEASE = timedelta(minutes=2)
_OVER = timedelta(seconds=-1)


async def _seal(
    pool: Pool, upload: Upload, *, lease: timedelta, declared: Declared | None = None
) -> Upload:
    async with transaction(pool) as tx:
        held = await uploads.lock_any(tx, upload.id)
        decision = seal(held, Intent.COMPLETE, declared or Declared(), None)
        assert isinstance(decision, Seal)
        return await leases.take(tx, upload.id, decision, lease=lease)


async def _whole_row(pool: Pool, upload: Upload) -> list[dict[str, object]]:
    return await rows(pool, "SELECT * FROM uploads WHERE id = %s", [upload.id])


async def test_the_clock_is_read_once_the_lock_is_held(pool: Pool) -> None:
    """A deadline compared with a time from before the wait would let late callers in."""
    upload = await add_upload(pool)
    async with pool.connection() as waiter:
        async with transaction(pool) as holder:
            await uploads.lock_any(holder, upload.id)
            asked = asyncio.create_task(uploads.lock(waiter, upload.id, _ALICE))
            await until_waiting(pool, waiter)
            released = (await rows(pool, "SELECT clock_timestamp() AS at"))[0]["at"]
        locked = await asked

    assert locked.as_of > released


async def _give_up(tx: Tx, upload_id: UUID, reason: Reason) -> None:
    decision = seal(await uploads.lock_any(tx, upload_id), Intent.ABORT, Declared(), None)
    assert isinstance(decision, Seal)
    held = await leases.take(tx, upload_id, decision, lease=timedelta(minutes=1))
    await leases.leave(tx, held, Phase.FAILED, reason=reason)


async def test_a_holder_is_waited_for_and_its_change_is_seen(pool: Pool) -> None:
    """Deciding on a row as it was before the wait would undo what the other one did."""
    upload = await add_upload(pool)
    async with pool.connection() as waiter:
        async with transaction(pool) as holder:
            await uploads.lock_any(holder, upload.id)
            await _give_up(holder, upload.id, Reason.EXPIRED)
            asked = asyncio.create_task(uploads.lock_any(waiter, upload.id))
            await until_waiting(pool, waiter)
        locked = await asked

    assert (locked.phase, locked.reason) == (Phase.FAILED, Reason.EXPIRED)


@pytest.mark.parametrize("look", [uploads.read, uploads.lock])
@pytest.mark.parametrize(
    ("owner", "finds"),
    [
        (_ALICE, True),
        (Owner("default", None), True),
        (Owner("default", "bob"), False),
        (Owner("other", "alice"), False),
        (Owner("other", None), False),
    ],
)
async def test_a_row_is_found_by_its_owner_only(
    pool: Pool, look: Callable[..., Awaitable[Upload]], owner: Owner, *, finds: bool
) -> None:
    """No user means everybody in the tenant, and never another tenant."""
    upload = await add_upload(pool)

    async with transaction(pool) as tx:
        try:
            found = (await look(tx, upload.id, owner)).id
        except UploadNotFoundError:
            found = None

    assert found == (upload.id if finds else None)


async def test_an_open_twin_is_found_and_not_doubled(pool: Pool) -> None:
    """Same owner, name, size and checksum: the client resumes."""
    first = await add_upload(pool, checksum="sha256:x")
    twin = a_new_upload(checksum="sha256:x")

    async with transaction(pool) as tx:
        again = await uploads.insert(tx, twin)
        found = await uploads.lock_open_twin(tx, twin)

    assert again is None
    assert found is not None
    assert found.id == first.id


async def test_of_two_twins_at_once_the_second_waits_and_finds_the_first(pool: Pool) -> None:
    """Two tabs open the same file at the same time."""
    one, two = a_new_upload(checksum="sha256:x"), a_new_upload(checksum="sha256:x")
    async with pool.connection() as second:
        async with transaction(pool) as first:
            opened = await uploads.insert(first, one)
            racing = asyncio.create_task(uploads.insert(second, two))
            await until_waiting(pool, second)
        assert await racing is None

    assert opened is not None
    assert [row["id"] for row in await rows(pool, "SELECT id FROM uploads")] == [one.id]


@pytest.mark.parametrize(
    "other",
    [
        {"checksum": None},
        {"checksum": "sha256:y"},
        {"size_bytes": 99},
        {"file_name": "other.bin"},
        {"user_id": "bob"},
        {"tenant": "other"},
    ],
)
async def test_another_file_or_owner_is_no_twin(pool: Pool, other: dict[str, object]) -> None:
    """Without a checksum nothing says that it is the same file."""
    first = await add_upload(pool, checksum="sha256:x")
    second = await add_upload(pool, **{"checksum": "sha256:x", **other})

    found = {row["id"] for row in await rows(pool, "SELECT id FROM uploads")}
    assert found == {first.id, second.id}


async def test_an_ended_upload_is_no_twin(pool: Pool) -> None:
    """The same file may be uploaded again."""
    first = await add_upload(pool, checksum="sha256:x")
    async with transaction(pool) as tx:
        await _give_up(tx, first.id, Reason.ABORTED)

    second = await add_upload(pool, checksum="sha256:x")

    assert second.phase is Phase.INIT


async def test_the_second_multipart_is_told_that_it_lost(pool: Pool) -> None:
    """The loser aborts its own; a row has one multipart."""
    upload = await add_upload(pool)

    async with transaction(pool) as tx:
        answers = [await uploads.set_multipart(tx, upload, name) for name in ("one", "two")]

    assert [answer and answer.multipart_id for answer in answers] == ["one", None]
    assert (await row_of(pool, upload.id)).multipart_id == "one"


async def test_a_multipart_of_an_older_generation_is_not_stored(pool: Pool) -> None:
    """Its maker slept while S3 forced a new one."""
    upload = await add_upload(pool)
    sealed = await _seal(pool, upload, lease=_LEASE)
    async with transaction(pool) as tx:
        await leases.reopen(tx, sealed, Phase.UPLOADING, multipart_lost=True)
        stored = await uploads.set_multipart(tx, upload, "old")

    current = await row_of(pool, upload.id)
    assert (stored, current.generation, current.multipart_id) == (None, 2, None)


async def test_a_lease_ends_by_the_databases_clock(pool: Pool) -> None:
    """Only then may somebody else take over."""
    live = await _seal(pool, await add_upload(pool), lease=_LEASE)
    dead = await _seal(pool, await add_upload(pool), lease=_OVER)

    async with pool.connection() as conn:
        found = await abandoned.find(conn, patience=timedelta(minutes=2))

    assert (live.is_leased, dead.is_leased) == (True, False)
    assert [upload.id for upload in found] == [dead.id]


async def _extend(tx: Tx, stale: Upload) -> None:
    await leases.extend(tx, stale, lease=_LEASE)


async def _finish(tx: Tx, stale: Upload) -> None:
    await leases.leave(tx, stale, Phase.COMPLETED)


async def _fail(tx: Tx, stale: Upload) -> None:
    await leases.leave(tx, stale, Phase.FAILED, reason=Reason.ABORTED)


async def _await_hashing(tx: Tx, stale: Upload) -> None:
    await leases.leave(tx, stale, Phase.ASSEMBLING, assembled=True)


async def _reopen(tx: Tx, stale: Upload) -> None:
    await leases.reopen(tx, stale, Phase.UPLOADING, multipart_lost=False)


async def _lose(tx: Tx, stale: Upload) -> None:
    await leases.reopen(tx, stale, Phase.UPLOADING, multipart_lost=True)


_WRITES = [_extend, _finish, _fail, _await_hashing, _reopen, _lose]


@pytest.mark.parametrize("write", _WRITES)
async def test_an_attempt_that_was_taken_over_changes_nothing(
    pool: Pool, write: Callable[[Tx, Upload], Awaitable[None]]
) -> None:
    """It slept, woke up, and believes that it still holds the lease."""
    before = await add_upload(pool)
    stale = await _seal(pool, before, lease=_OVER)
    current = await _seal(pool, before, lease=_LEASE)
    row = await _whole_row(pool, before)

    with pytest.raises(LeaseLostError, match=before.public_id):
        async with transaction(pool) as tx:
            await write(tx, stale)

    assert (stale.attempt, current.attempt) == (1, 2)
    assert await _whole_row(pool, before) == row


@pytest.mark.parametrize("write", _WRITES)
async def test_the_current_attempt_writes(
    pool: Pool, write: Callable[[Tx, Upload], Awaitable[None]]
) -> None:
    """The fence keeps out the stale one, and not everybody."""
    before = await add_upload(pool)
    current = await _seal(pool, before, lease=_LEASE)
    row = await _whole_row(pool, before)

    async with transaction(pool) as tx:
        await write(tx, current)

    assert await _whole_row(pool, before) != row


async def test_a_lease_that_ran_out_cannot_be_extended(pool: Pool) -> None:
    """Somebody may be taking over at this moment: CompleteMultipartUpload must not be sent."""
    upload = await _seal(pool, await add_upload(pool), lease=_OVER)

    with pytest.raises(LeaseLostError):
        async with transaction(pool) as tx:
            await leases.extend(tx, upload, lease=_LEASE)


async def test_reopening_forgets_what_completion_declared(pool: Pool) -> None:
    """A wrong checksum given at complete must not stick to the upload."""
    before = await add_upload(pool)
    sealed = await _seal(pool, before, lease=_LEASE, declared=Declared(b"x" * 32, "root-10"))

    async with transaction(pool) as tx:
        await leases.reopen(tx, sealed, Phase.UPLOADING, multipart_lost=False)

    after = await row_of(pool, before.id)
    assert (sealed.declared_sha256, sealed.declared_root) == (b"x" * 32, "root-10")
    assert (after.declared_sha256, after.declared_root, after.generation) == (None, None, 1)
    assert (after.phase, after.intent, after.lease_until) == (Phase.UPLOADING, None, None)


async def test_a_takeover_that_reopens_forgets_it_too(pool: Pool) -> None:
    """Only what init declared stays, through any number of attempts."""
    before = await add_upload(pool, checksum="a", declared_root="root-10")
    await _seal(pool, before, lease=_OVER, declared=Declared(b"x" * 32, None))
    taken = await _seal(pool, await row_of(pool, before.id), lease=_LEASE)

    async with transaction(pool) as tx:
        await leases.reopen(tx, taken, Phase.UPLOADING, multipart_lost=False)

    after = await row_of(pool, before.id)
    assert taken.declared_sha256 == b"x" * 32
    assert (after.checksum, after.declared_sha256, after.declared_root) == ("a", None, "root-10")
