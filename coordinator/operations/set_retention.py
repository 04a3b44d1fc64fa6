"""Set how long a tenant's finished objects are kept."""

from collections.abc import Sequence

from coordinator.adapters import audit, retention
from coordinator.adapters.postgres import transaction
from coordinator.adapters.retention import Rule
from coordinator.adapters.stores import Stores


async def set_retention(
    stores: Stores, tenant: str, rules: Sequence[Rule], *, actor: str
) -> list[Rule]:
    """Replace the tenant's rules, and return them as they are kept."""
    async with transaction(stores.pool) as tx:
        await retention.replace(tx, tenant, rules)
        await audit.append(
            tx,
            "retention.changed",
            tenant=tenant,
            actor=actor,
            rules=[[each.purpose, each.after_days, each.action] for each in rules],
        )
        return await retention.read(tx, tenant)
