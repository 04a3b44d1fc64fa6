"""Set what a tenant may use."""

from coordinator.adapters import audit, quotas
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.quotas import QuotaRow, Standing, changes


async def set_quotas(stores: Stores, tenant: str, row: QuotaRow, *, actor: str) -> Standing:
    """Make ``row`` the tenant's own, and return what holds for it then.

    What is open or stored already stays, even where it is more than may be from now on.
    """
    async with transaction(stores.pool) as tx:
        before = await quotas.hold(tx, tenant)
        await quotas.replace(tx, tenant, row)
        await audit.append(
            tx, "quotas.changed", tenant=tenant, actor=actor, changes=changes(before, row)
        )
        return await quotas.standing(tx, tenant)
