"""Chain what was noted, and tell the bucket how far: who changes a row must change both.

Any number of workers may do this at once: a tenant's rows are chained under a lock, and a head
never takes the place of a newer one.
"""

from functools import partial
from typing import Final

import structlog

from coordinator.adapters import audit_chain
from coordinator.adapters.postgres import Tx, transaction
from coordinator.adapters.s3_answers import ObjectGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain import audit_heads
from coordinator.domain.audit_chain import Head, Link, next_hash
from coordinator.domain.names import audit_head_key
from coordinator.operations.side_by_side import side_by_side
from coordinator.telemetry import AUDIT_ROWS

_log = structlog.get_logger(__name__)

_BATCH: Final = 1_000
_RECENT: Final = 100_000  # ids; what commits later than so many others waits for the hourly look
EVERY_ROW: Final = 1 << 62
_HEAD_BYTES: Final = 4_096


async def chain_audit(stores: Stores, prefix: str, *, back: int = _RECENT) -> int:
    """Chain the rows that are not, export the heads that moved; return how many rows there were.

    ``back``: how many ids before the last that was chained are looked at again.
    """
    async with stores.pool.connection() as conn:
        tenants = await audit_chain.find_tenants(conn, back=back)
    count = 0
    for tenant in tenants:
        count += await _chain(stores, tenant)
    async with stores.pool.connection() as conn:
        moved = await audit_chain.find_unexported(conn)
    await side_by_side("export of an audit's head", partial(_export, stores, prefix), moved)
    return count


async def _chain(stores: Stores, tenant: str) -> int:
    """Chain batch after batch, each committed for itself."""
    last_id, count, size = 0, 0, _BATCH
    while size == _BATCH:
        async with transaction(stores.pool) as tx:
            await audit_chain.lock(tx, tenant)
            links = await _next_links(tx, tenant, after=last_id)
            if links:
                await audit_chain.add(tx, tenant, links)
                last_id = links[-1].audit_id
        size = len(links)
        count += size
    AUDIT_ROWS.inc(count)
    return count


async def _next_links(tx: Tx, tenant: str, *, after: int) -> list[Link]:
    end = await audit_chain.end_of(tx, tenant)
    previous = end.hash
    links: list[Link] = []
    for entry in await audit_chain.read_unchained(tx, tenant, after=after, limit=_BATCH):
        previous = next_hash(previous, entry)
        position = end.position + len(links) + 1
        links.append(Link(position=position, audit_id=entry["id"], hash=previous, entry=entry))
    return links


async def _export(stores: Stores, prefix: str, tenant: str) -> None:
    """Write the head where the bucket has an older one of the same chain, or none."""
    async with stores.pool.connection() as conn:
        if not await audit_chain.take_export(conn, tenant):
            return
        try:
            head = await audit_chain.head_of(conn, tenant)
            before = await read_head(stores, prefix, tenant)
            if head is not None and await _may_follow(conn, head, before):
                await stores.bucket.put(
                    audit_head_key(prefix, tenant),
                    audit_heads.encode(head),
                    file_type="application/json",
                )
                await audit_chain.mark_exported(conn, tenant, head.position)
                _log.info(
                    "audit chained",
                    tenant=tenant,
                    position=head.position,
                    hash=head.hash.hex(),
                    chained_at=head.chained_at.isoformat(),
                )
        finally:
            await audit_chain.leave_export(conn, tenant)


async def read_head(stores: Stores, prefix: str, tenant: str) -> Head | None:
    """Return the head that was exported last, if one was.

    Raises:
        ValueError: what stands there is none of this tenant's.

    """
    try:
        body = await stores.bucket.read(audit_head_key(prefix, tenant), first=0, length=_HEAD_BYTES)
    except ObjectGoneError:
        return None
    head = audit_heads.decode(body)
    if head.tenant != tenant:
        raise ValueError("the head is another tenant's")
    return head


async def _may_follow(conn: Tx, head: Head, before: Head | None) -> bool:
    """Refuse to cover up: a head that does not lead on from the one before stays away."""
    if before is None:
        return True
    if await audit_chain.hash_at(conn, head.tenant, before.position) == before.hash:
        return True
    _log.error(
        "audit differs from its exported head: run `coordinator audit verify`",
        tenant=head.tenant,
        position=before.position,
    )
    return False
