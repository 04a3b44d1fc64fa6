"""Check the audit against its hash chains: which row was changed, removed, or put in afterwards.

In the database, with the heads that the bucket has; or in an export, without either.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

import msgspec

from coordinator.adapters import audit_chain
from coordinator.adapters.stores import Stores
from coordinator.domain import audit_lines
from coordinator.domain.audit_chain import ChainCheck, Fault, Finding, Head
from coordinator.domain.names import audit_head_folder
from coordinator.operations.chain_audit import read_head

_BATCH: Final = 2_000
_PATIENCE: Final = timedelta(minutes=10)

Tell = Callable[[str, Finding], None]
"""Is told of each finding at once, with its tenant: there may be any number."""


class Verdict(msgspec.Struct, kw_only=True):
    """What was looked at of one tenant, and how much of it is wrong."""

    tenant: str
    first: int = 1  # the position that the check began at
    chained: int = 0
    waiting: int = 0  # not chained yet
    faults: int = 0


async def tenants_of(stores: Stores, prefix: str) -> list[str]:
    """Name every tenant of the database and of the bucket: who cuts may cut a chain whole."""
    async with stores.pool.connection() as conn:
        found = set(await audit_chain.all_tenants(conn))
    folder = audit_head_folder(prefix)
    async for page in stores.bucket.list_objects(folder):
        found.update(each.key.removeprefix(folder).removesuffix(".json") for each in page)
    return sorted(found)


async def verify_audit(stores: Stores, prefix: str, tenant: str, tell: Tell) -> Verdict:
    """Check one tenant's chain by what the database and the bucket say."""
    verdict = Verdict(tenant=tenant)

    def note(findings: Iterable[Finding]) -> None:
        _note(verdict, findings, tell)

    # The head first: the table only grows meanwhile.
    head: Head | None = None
    try:
        head = await read_head(stores, prefix, tenant)
    except ValueError as exc:
        says = f"the head in the bucket cannot be read: {exc}"
        note([Finding(fault=Fault.UNREADABLE, says=says)])
    else:
        note(await _missing(stores, tenant, head))
    check = ChainCheck(head)
    after, size = 0, _BATCH
    while size == _BATCH:
        async with stores.pool.connection() as conn:
            links = await audit_chain.read_links(conn, tenant, after=after, limit=_BATCH)
        for link in links:
            note(check.feed(link))
            after = link.position
        size = len(links)
    note(check.finish())
    async with stores.pool.connection() as conn:
        waiting = await audit_chain.waiting(conn, tenant)
    note(_late(waiting))
    verdict.chained, verdict.waiting = check.count, waiting.count
    return verdict


def _note(verdict: Verdict, findings: Iterable[Finding], tell: Tell) -> None:
    for finding in findings:
        verdict.faults += 1
        tell(verdict.tenant, finding)


async def _missing(stores: Stores, tenant: str, head: Head | None) -> list[Finding]:
    async with stores.pool.connection() as conn:
        exported = await audit_chain.exported(conn, tenant)
    if head is not None or exported == 0:
        return []
    says = f"the head in the bucket is gone; it was exported up to position {exported}"
    return [Finding(fault=Fault.HEAD_MISSING, position=exported, says=says)]


def _late(waiting: audit_chain.Waiting) -> Iterator[Finding]:
    if waiting.oldest is not None and waiting.oldest > _PATIENCE:
        minutes = waiting.oldest // timedelta(minutes=1)
        says = (
            f"{waiting.count} row(s) are not chained, the oldest for {minutes} minutes: "
            "no worker is chaining"
        )
        yield Finding(fault=Fault.NOT_CHAINED, says=says)


def verify_export(
    lines: Iterable[bytes], heads: Mapping[str, Head], tell: Tell
) -> Iterator[Verdict]:
    """Check an export of any number of tenants; ``heads`` are their exported ends, by tenant.

    An export that begins later than the chain is trusted for the hash before its first line: the
    verdict says where it began.
    """
    verdicts: dict[str, Verdict] = {}
    checks: dict[str, ChainCheck] = {}
    for number, text in enumerate(lines, start=1):
        try:
            line = audit_lines.decode(text)
        except ValueError as exc:
            unread = verdicts.setdefault("", Verdict(tenant=""))
            says = f"line {number} cannot be read: {exc}"
            _note(unread, [Finding(fault=Fault.UNREADABLE, says=says)], tell)
            continue
        verdict = verdicts.setdefault(line.tenant, Verdict(tenant=line.tenant))
        if line.link is None:
            verdict.waiting += 1
            continue
        if line.tenant not in checks:
            verdict.first = line.link.position
            checks[line.tenant] = ChainCheck(heads.get(line.tenant), previous=line.previous)
        _note(verdict, checks[line.tenant].feed(line.link), tell)
    for tenant in sorted({*verdicts, *heads}):
        verdict = verdicts.setdefault(tenant, Verdict(tenant=tenant))
        check = checks.get(tenant) or ChainCheck(heads.get(tenant))
        _note(verdict, check.finish(), tell)
        verdict.chained = check.count
        yield verdict
