"""What tests of the audit share: noting rows, forging them, and what the verifier finds."""

from psycopg import sql

from coordinator.adapters import audit
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.audit_chain import Fault
from coordinator.operations.verify_audit import verify_audit
from coordinator.settings import Settings


async def note(stores: Stores, count: int, tenant: str = "t") -> None:
    """Note so many rows about alice."""
    async with transaction(stores.pool) as tx:
        for number in range(count):
            await audit.append(
                tx, "upload.opened", tenant=tenant, actor="ck_1", user="alice", number=number
            )


async def as_owner(stores: Stores, *statements: sql.SQL) -> None:
    """Do what only who owns the tables can, past the triggers."""
    async with transaction(stores.pool) as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            await tx.execute(statement)


async def findings(
    stores: Stores, settings: Settings, tenant: str = "t"
) -> list[tuple[Fault, int | None, int | None]]:
    """Verify a tenant's chain; return what is wrong, position and row."""
    found: list[tuple[Fault, int | None, int | None]] = []
    verdict = await verify_audit(
        stores,
        settings.s3_prefix,
        tenant,
        lambda _tenant, finding: found.append((finding.fault, finding.position, finding.audit_id)),
    )
    assert verdict.faults == len(found)
    return found
