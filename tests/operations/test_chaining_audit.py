"""The audit's chain: every row once, by any number of workers; its head only goes forward."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
from psycopg import sql

from coordinator.adapters import audit, audit_chain
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores, open_stores
from coordinator.domain import audit_heads
from coordinator.domain.audit_chain import Fault, Head
from coordinator.domain.names import audit_head_key
from coordinator.operations import chain_audit as chaining
from coordinator.operations.chain_audit import EVERY_ROW, chain_audit, read_head
from coordinator.operations.verify_audit import tenants_of
from coordinator.settings import Settings
from tests.builders import rows
from tests.captured_logs import captured
from tests.operations.auditing import findings, note

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_CHAIN: Final = sql.SQL("SELECT tenant, position, audit_id FROM audit_chain ORDER BY 1, 2")


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    """The stores without a service: nobody else notes anything."""
    async with open_stores(settings) as opened:
        yield opened


async def _positions(stores: Stores) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in await rows(stores.pool, _CHAIN)]


async def test_every_tenant_has_a_chain_of_its_own(stores: Stores, settings: Settings) -> None:
    """In the order of the ids; what comes later goes on from there, and nothing is done twice."""
    await note(stores, 2, "t")
    await note(stores, 1, "*")  # the installation's: quotas for all
    await note(stores, 1, "u+v@w")
    first = await chain_audit(stores, settings.s3_prefix)
    await note(stores, 1, "t")

    later = [await chain_audit(stores, settings.s3_prefix) for _ in range(2)]

    tenants = await tenants_of(stores, settings.s3_prefix)
    assert (first, later) == (4, [1, 0])
    assert await _positions(stores) == [
        *(("*", 1, 3), ("t", 1, 1), ("t", 2, 2), ("t", 3, 5)),
        ("u+v@w", 1, 4),
    ]
    assert tenants == ["*", "t", "u+v@w"]
    assert [await findings(stores, settings, tenant) for tenant in tenants] == [[], [], []]


async def test_a_batch_more_than_one_is_chained_at_once(
    stores: Stores, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that comes after a day finds many."""
    monkeypatch.setattr(chaining, "_BATCH", 3)
    await note(stores, 7)

    assert await chain_audit(stores, settings.s3_prefix) == 7
    assert [position for _, position, _ in await _positions(stores)] == [1, 2, 3, 4, 5, 6, 7]
    assert await findings(stores, settings) == []


@pytest.mark.parametrize("back", [100, EVERY_ROW])
async def test_a_row_that_is_committed_late_is_chained_all_the_same(
    stores: Stores, settings: Settings, back: int
) -> None:
    """Ids are given before the commit: "greater than the last" would leave it out for ever."""
    async with transaction(stores.pool) as late:
        await audit.append(late, "upload.opened", tenant="t", actor="ck_1")
        await note(stores, 2)
        assert await chain_audit(stores, settings.s3_prefix, back=back) == 2

    assert await chain_audit(stores, settings.s3_prefix, back=back) == 1
    assert await _positions(stores) == [("t", 1, 2), ("t", 2, 3), ("t", 3, 1)]
    assert await findings(stores, settings) == []


async def test_a_link_to_a_row_that_never_was_does_not_stop_the_chain(
    stores: Stores, settings: Settings
) -> None:
    """Who has taken over a service may add links: then that is named, and no row is left out."""
    async with stores.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO audit_chain (tenant, position, audit_id, hash)"
            " VALUES ('u', 1, 9223372036854775807, sha256('x'))"
        )
    await note(stores, 2)

    assert await chain_audit(stores, settings.s3_prefix) == 2
    assert await findings(stores, settings) == []
    assert await findings(stores, settings, "u") == [(Fault.REMOVED, 1, 9223372036854775807)]


async def test_many_workers_at_once_chain_every_row_once(settings: Settings) -> None:
    """Each has its own connections; whoever comes second to a tenant waits for the first."""
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(open_stores(settings)) for _ in range(4)]
        await note(workers[0], 60, "t")
        await note(workers[0], 60, "u")

        counts = await asyncio.gather(
            *(chain_audit(worker, settings.s3_prefix) for worker in workers)
        )

        positions = [(tenant, position) for tenant, position, _ in await _positions(workers[0])]
        assert sum(counts) == 120
        assert positions == [(tenant, number) for tenant in "tu" for number in range(1, 61)]
        assert await findings(workers[0], settings) == []


async def _head(stores: Stores, settings: Settings) -> Head | None:
    return await read_head(stores, settings.s3_prefix, "t")


async def test_the_head_is_exported_and_logged(stores: Stores, settings: Settings) -> None:
    """The copy stands where who owns the database cannot reach."""
    await note(stores, 2)
    with captured(chaining) as logs:
        await chain_audit(stores, settings.s3_prefix)

    async with stores.pool.connection() as conn:
        head = await audit_chain.head_of(conn, "t")
    assert head is not None
    assert head == await _head(stores, settings)
    [line] = [line for line in logs if line["event"] == "audit chained"]
    assert (line["tenant"], line["position"], line["hash"]) == ("t", 2, head.hash.hex())
    assert await tenants_of(stores, settings.s3_prefix) == ["t"]


async def test_an_export_that_failed_is_made_up_for(
    stores: Stores, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 may be away when rows are chained; nothing new needs to be noted for the next try."""

    async def away(*_: object, **__: object) -> None:
        raise TimeoutError

    await note(stores, 1)
    with monkeypatch.context() as patched:
        patched.setattr(stores.bucket, "put", away)
        assert await chain_audit(stores, settings.s3_prefix) == 1
    assert await _head(stores, settings) is None

    assert await chain_audit(stores, settings.s3_prefix) == 0
    found = await _head(stores, settings)
    assert found is not None
    assert found.position == 1


async def test_a_newer_head_is_never_replaced_by_an_older(
    stores: Stores, settings: Settings
) -> None:
    """Nor is one of another chain: a forger's next row would cover up what was done."""
    await note(stores, 2)
    await chain_audit(stores, settings.s3_prefix)
    head = await _head(stores, settings)
    assert head is not None
    newer = Head(tenant="t", position=9, hash=bytes(32), chained_at=head.chained_at)
    key = audit_head_key(settings.s3_prefix, "t")
    await stores.bucket.put(key, audit_heads.encode(newer), file_type="application/json")
    await note(stores, 1)

    await chain_audit(stores, settings.s3_prefix)

    assert await _head(stores, settings) == newer
    assert await findings(stores, settings) == [(Fault.TAIL_MISSING, 3, None)]


async def test_the_head_waits_for_whoever_is_writing_it(stores: Stores, settings: Settings) -> None:
    """Two at once could end with the older."""
    await note(stores, 1)
    async with stores.pool.connection() as other:
        assert await audit_chain.take_export(other, "t")
        await chain_audit(stores, settings.s3_prefix)
        assert await _head(stores, settings) is None
        await audit_chain.leave_export(other, "t")

    await chain_audit(stores, settings.s3_prefix)

    assert await _head(stores, settings) is not None


async def test_people_are_pseudonyms_that_end_with_their_key(stores: Stores) -> None:
    """The same person is the same pseudonym, until the key is erased; the name is nowhere."""
    async with transaction(stores.pool) as tx:
        for user in ("alice", "alice", "bob"):
            await audit.append(tx, "key.created", tenant="t", actor="ck_1", user=user)
        await tx.execute("DELETE FROM pseudonyms WHERE user_id = 'alice'")
        await audit.append(tx, "key.created", tenant="t", actor="ck_1", user="alice")
        await audit.append(tx, "quota.changed", tenant="t", actor="ck_1")

    found = await rows(stores.pool, sql.SQL("SELECT subject, audit::text FROM audit ORDER BY id"))

    first, again, bob, later, nobody = (row["subject"] for row in found)
    assert first == again
    assert len({first, bob, later}) == 3
    assert nobody is None
    assert not any(name in row["audit"] for row in found for name in ("alice", "bob"))
