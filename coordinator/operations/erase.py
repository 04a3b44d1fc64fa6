"""Go on with erasures that were asked for: hide, remove each upload, forget the person, report.

Rule: what this process knows is lost when it dies, so it keeps nothing: every step looks at the
rows. Many workers may do it at once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from coordinator import points
from coordinator.adapters import audit, erasing, erasures, persons
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.erasures import Erasure, Report
from coordinator.domain.uploads import Upload
from coordinator.operations.erase_upload import RefusedError, erase_upload, find
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.operations.side_by_side import side_by_side

_log = structlog.get_logger(__name__)

_BATCH: Final = 50
_MOST: Final = 100  # erasures in one round
_LEASE: Final = timedelta(minutes=2)
_PAUSE: Final = timedelta(seconds=5)  # until somebody else's lease on an upload may be over
_LONG_PAUSE: Final = timedelta(minutes=15)  # until S3 may let go what it has refused


async def erase(
    stores: Stores, *, pause: timedelta = _PAUSE, long_pause: timedelta = _LONG_PAUSE
) -> int:
    """Go on with what is due, and return how many erasures that were.

    ``pause``: when to look again at one that is not finished; ``long_pause``: where S3 refused.
    """
    seen: list[UUID] = []
    while len(seen) < _MOST:
        async with stores.pool.connection() as conn:
            erasure = await erasures.claim(conn, lease=_LEASE, seen=seen)
        if erasure is None:
            break
        seen.append(erasure.id)
        await side_by_side("erasure", partial(_advance, stores, pause, long_pause), [erasure])
    return len(seen)


async def _advance(
    stores: Stores, pause: timedelta, long_pause: timedelta, erasure: Erasure
) -> None:
    structlog.contextvars.bind_contextvars(erasure_id=ids.encode(ids.ERASURE, erasure.id))
    if erasure.is_dry_run:
        await _rehearse(stores, erasure)
        return
    await _hide_all(stores, erasure)
    refused = 0

    async def remove(upload: Upload) -> None:
        nonlocal refused
        try:
            await erase_upload(stores, upload)
        except RefusedError:
            refused += 1

    async for batch in _batches(stores, erasure, erasing.hidden):
        await side_by_side("erasure of an upload", remove, batch)
    if not await _finish(stores, erasure):
        async with stores.pool.connection() as conn:
            await erasures.lease(conn, erasure.id, long_pause if refused else pause)


async def _hide_all(stores: Stores, erasure: Erasure) -> None:
    """Let all uploads be gone for everybody before the first is removed."""
    found = None
    while found is None or found:
        async with transaction(stores.pool) as tx:
            found = await erasing.hide(tx, erasure, limit=_BATCH)
            await erasures.lease(tx, erasure.id, _LEASE)
        if found:
            points.passed("erasure-hidden")
        for upload in found:
            await ledger_or_nothing(stores.ledger.bury(upload))


async def _batches(
    stores: Stores, erasure: Erasure, read: Callable[..., Awaitable[list[Upload]]]
) -> AsyncIterator[list[Upload]]:
    """Read the subject's uploads, each once, keeping the lease."""
    last: UUID | None = None
    while True:
        async with stores.pool.connection() as conn:
            await erasures.lease(conn, erasure.id, _LEASE)
            found = await read(conn, erasure, after=last, limit=_BATCH)
        if not found:
            return
        last = found[-1].id
        yield found


async def _finish(stores: Stores, erasure: Erasure) -> bool:
    """Finish once nothing is left but what is held; ``False`` while there is.

    A person of whom something must be kept cannot be forgotten: the pseudonym's key, the keys'
    owner and the statistics stay, until an erasure finds nothing on hold.
    """
    async with transaction(stores.pool) as tx:
        report = await erasures.lock_report(tx, erasure.id)
        if report is None:
            return True  # another worker has
        held, others = await erasing.left(tx, erasure)
        if others:
            return False
        if erasure.user_id is not None:
            await audit.append(
                tx,
                "user.erased",
                tenant=erasure.tenant,
                actor=audit.WORKER,
                user=erasure.user_id,
                erasure=ids.encode(ids.ERASURE, erasure.id),
                uploads=report.uploads,
                held=len(held),
            )
            if not held:
                await persons.forget(tx, erasure.tenant, erasure.user_id)
        await erasures.write_report(tx, erasure.id, _with_held(report, held), finished=True)
    points.passed("erasure-finished")
    _log.info("erasure finished", uploads=report.uploads, held=len(held))
    return True


async def _rehearse(stores: Stores, erasure: Erasure) -> None:
    """Count what would be removed, and finish."""
    report, held = Report(), list[UUID]()
    async for batch in _batches(stores, erasure, erasing.all_of):
        for upload in batch:
            if upload.hold is not None:
                held.append(upload.id)
                continue
            found = await find(stores, upload)
            async with stores.pool.connection() as conn:
                report = report.plus(found, await erasing.count(conn, upload.id))
    async with transaction(stores.pool) as tx:
        await erasures.write_report(tx, erasure.id, _with_held(report, held), finished=True)


def _with_held(report: Report, held: list[UUID]) -> Report:
    return report.holding([ids.encode(ids.UPLOAD, each) for each in held])
