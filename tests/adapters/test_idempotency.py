"""An Idempotency-Key names one upload for 24 hours."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from coordinator.adapters import idempotency
from coordinator.adapters.entropy import new_uuid
from coordinator.adapters.postgres import Pool, Tx, transaction
from coordinator.domain.errors import IdempotencyConflictError
from tests.builders import add_upload, rows, until_waiting

_BODY, _OTHER_BODY = b"b" * 32, b"o" * 32


async def _claim(tx: Tx, upload_id: UUID, **changes: Any) -> UUID:
    usual = {"tenant": "default", "user_id": "alice", "key": "key", "body_sha256": _BODY}
    return await idempotency.claim(tx, upload_id=upload_id, **{**usual, **changes})


async def _kept(pool: Pool) -> list[tuple[str, str, UUID]]:
    found = await rows(pool, "SELECT * FROM idempotency_keys ORDER BY tenant, user_id")
    return [(row["tenant"], row["user_id"], row["upload_id"]) for row in found]


async def test_a_key_is_bound_once(pool: Pool) -> None:
    """The repeat finds the upload of the first request."""
    first, second = await add_upload(pool), await add_upload(pool)

    async with pool.connection() as conn:
        answers = [await _claim(conn, upload.id) for upload in (first, second)]

    assert answers == [first.id, first.id]
    assert await _kept(pool) == [("default", "alice", first.id)]


async def test_a_key_belongs_to_its_owner(pool: Pool) -> None:
    """Two users may think of the same key."""
    uploads = [await add_upload(pool) for _ in range(3)]
    owners = [("default", "alice"), ("default", "bob"), ("other", "alice")]

    async with pool.connection() as conn:
        for upload, (tenant, user) in zip(uploads, owners, strict=True):
            assert await _claim(conn, upload.id, tenant=tenant, user_id=user) == upload.id

    expected = [(*owner, upload.id) for owner, upload in zip(owners, uploads, strict=True)]
    assert await _kept(pool) == expected


async def test_another_body_is_refused(pool: Pool) -> None:
    """The client reuses a key by mistake; finding the wrong upload would be worse."""
    upload = await add_upload(pool)

    async with pool.connection() as conn:
        await _claim(conn, upload.id)
        with pytest.raises(IdempotencyConflictError):
            await _claim(conn, new_uuid(), body_sha256=_OTHER_BODY)

    assert await _kept(pool) == [("default", "alice", upload.id)]


@pytest.mark.parametrize(("body", "answers"), [(_BODY, True), (_OTHER_BODY, False)])
async def test_the_second_of_two_at_once_waits_for_the_first(
    pool: Pool, body: bytes, *, answers: bool
) -> None:
    """A retry that overtakes its first try must not open a second upload."""
    one, two = await add_upload(pool), await add_upload(pool)
    async with pool.connection() as second:
        async with transaction(pool) as first:
            await _claim(first, one.id)
            racing = asyncio.create_task(_claim(second, two.id, body_sha256=body))
            await until_waiting(pool, second)
        outcome = (await asyncio.gather(racing, return_exceptions=True))[0]

    assert outcome == one.id if answers else isinstance(outcome, IdempotencyConflictError)
    assert await _kept(pool) == [("default", "alice", one.id)]


async def test_a_key_whose_claim_was_rolled_back_is_free(pool: Pool) -> None:
    """The first request failed: the waiting one opens the upload."""
    one, two = await add_upload(pool), await add_upload(pool)
    async with pool.connection() as second, pool.connection() as first:
        async with first.transaction(force_rollback=True):
            await _claim(first, one.id)
            racing = asyncio.create_task(_claim(second, two.id))
            await until_waiting(pool, second)
        bound = await racing

    assert bound == two.id


@pytest.mark.parametrize(
    ("age", "body", "is_over"),
    [("23 hours 59 minutes", _BODY, False), ("24 hours 1 second", _OTHER_BODY, True)],
)
async def test_a_key_ends_after_24_hours(
    pool: Pool, age: str, body: bytes, *, is_over: bool
) -> None:
    """Then it may name something else, and lives another 24 hours."""
    one, two = await add_upload(pool), await add_upload(pool)
    async with pool.connection() as conn:
        await _claim(conn, one.id)
        await conn.execute("UPDATE idempotency_keys SET created_at = now() - %s::interval", [age])

        bound = await _claim(conn, two.id, body_sha256=body)
        again = await _claim(conn, new_uuid(), body_sha256=body)

    assert (bound, again) == ((two.id,) * 2 if is_over else (one.id,) * 2)


async def test_a_key_can_be_bound_to_the_twin_that_was_found(pool: Pool) -> None:
    """The claim was for a row that then turned out to exist already."""
    twin = await add_upload(pool)

    async with transaction(pool) as tx:
        await _claim(tx, new_uuid())
        await idempotency.rebind(
            tx, tenant="default", user_id="alice", key="key", upload_id=twin.id
        )

    assert await _kept(pool) == [("default", "alice", twin.id)]
