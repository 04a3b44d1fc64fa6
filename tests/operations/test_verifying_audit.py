"""What the owner of the tables forges is named by the verifier, and nothing else is."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import pytest
from psycopg import sql

from coordinator.adapters.stores import Stores, open_stores
from coordinator.domain.audit_chain import Fault
from coordinator.domain.names import audit_head_key
from coordinator.operations.chain_audit import chain_audit, read_head
from coordinator.settings import Settings
from tests.operations.auditing import as_owner, findings, note

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    """The stores without a service: nobody else notes anything."""
    async with open_stores(settings) as opened:
        yield opened


_FORGED: Final[dict[str, tuple[Sequence[sql.SQL], list[tuple[Fault, int | None, int | None]]]]] = {
    "changed": (
        [sql.SQL("UPDATE audit SET facts = '{\"number\": 9}' WHERE id = 2")],
        [(Fault.CHANGED, 2, 2)],
    ),
    "dated back": (
        [sql.SQL("UPDATE audit SET at = at - interval '1 microsecond' WHERE id = 3")],
        [(Fault.CHANGED, 3, 3)],
    ),
    "the last one changed": (
        [sql.SQL("UPDATE audit SET actor = 'ck_2' WHERE id = 5")],
        [(Fault.CHANGED, 5, 5)],
    ),
    "made unreadable": (
        [
            sql.SQL("UPDATE audit SET at = 'infinity', facts = '[1e999]' WHERE id = 2"),
            sql.SQL("UPDATE audit SET at = '12345-01-01' WHERE id = 3"),
            sql.SQL(
                "UPDATE audit SET facts = (repeat('[', 900) || repeat(']', 900))::jsonb"
                " WHERE id = 4"
            ),
        ],
        [(Fault.CHANGED, 2, 2), (Fault.CHANGED, 3, 3), (Fault.CHANGED, 4, 4)],
    ),
    "given to another tenant": (
        [sql.SQL("UPDATE audit SET tenant = 'u' WHERE id = 4")],
        [(Fault.CHANGED, 4, 4)],
    ),
    "removed": ([sql.SQL("DELETE FROM audit WHERE id = 4")], [(Fault.REMOVED, 4, 4)]),
    "removed with its link": (
        [
            sql.SQL("DELETE FROM audit WHERE id = 2"),
            sql.SQL("DELETE FROM audit_chain WHERE audit_id = 2"),
        ],
        [(Fault.LINKS_MISSING, 2, None), (Fault.UNPROVEN, 3, 3)],
    ),
    "a link changed": (
        [sql.SQL("UPDATE audit_chain SET hash = sha256('x') WHERE position = 3")],
        [(Fault.LINK_CHANGED, 3, 3)],
    ),
    "the tail cut off": (
        [
            sql.SQL("DELETE FROM audit WHERE id > 3"),
            sql.SQL("DELETE FROM audit_chain WHERE position > 3"),
        ],
        [(Fault.TAIL_MISSING, 3, None)],
    ),
    "all cut off": (
        [
            sql.SQL("DELETE FROM audit"),
            sql.SQL("DELETE FROM audit_chain"),
            sql.SQL("DELETE FROM audit_heads"),
        ],
        [(Fault.TAIL_MISSING, 0, None)],
    ),
}


@pytest.mark.parametrize("how", _FORGED)
async def test_what_the_owner_of_the_tables_forges_is_named(
    stores: Stores, settings: Settings, how: str
) -> None:
    """Triggers disabled, as only the owner can; and the rows around it are not blamed."""
    statements, named = _FORGED[how]
    await note(stores, 5)
    await chain_audit(stores, settings.s3_prefix)
    assert await findings(stores, settings) == []

    await as_owner(stores, *statements)

    assert await findings(stores, settings) == named


async def test_a_tail_that_was_hashed_anew_does_not_lead_to_the_exported_head(
    stores: Stores, settings: Settings
) -> None:
    """The forger changes a row, drops the links after it and lets our own worker chain anew."""
    await note(stores, 5)
    await chain_audit(stores, settings.s3_prefix)
    before = await read_head(stores, settings.s3_prefix, "t")
    await as_owner(
        stores,
        sql.SQL("UPDATE audit SET actor = 'ck_2' WHERE id = 3"),
        sql.SQL("DELETE FROM audit_chain WHERE position >= 3"),
        sql.SQL("UPDATE audit_heads SET position = 0, exported = 0"),
    )
    await note(stores, 2)

    assert await chain_audit(stores, settings.s3_prefix) == 5

    assert await findings(stores, settings) == [(Fault.HEAD_DIFFERS, 5, None)]
    assert await read_head(stores, settings.s3_prefix, "t") == before


async def test_a_head_that_is_gone_or_overwritten_is_told(
    stores: Stores, settings: Settings
) -> None:
    """It was exported: the database knows."""
    await note(stores, 2)
    await chain_audit(stores, settings.s3_prefix)
    key = audit_head_key(settings.s3_prefix, "t")

    await stores.bucket.put(key, b"{}", file_type="application/json")
    overwritten = await findings(stores, settings)
    await stores.bucket.delete(key)

    assert overwritten == [(Fault.UNREADABLE, None, None)]
    assert await findings(stores, settings) == [(Fault.HEAD_MISSING, 2, None)]


async def test_rows_that_wait_are_no_fault_unless_nobody_chains(
    stores: Stores, settings: Settings
) -> None:
    """A worker does it every ten seconds; after ten minutes none does."""
    await note(stores, 1)
    assert await findings(stores, settings) == []

    await as_owner(stores, sql.SQL("UPDATE audit SET at = at - interval '11 minutes'"))

    assert await findings(stores, settings) == [(Fault.NOT_CHAINED, None, None)]
