"""Remove what nobody needs any more: leftovers of FAILED uploads, and multiparts that no row knows.

Only under the own prefix, and only while the marker object says that it is ours.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from coordinator import points
from coordinator.adapters import leftovers, probing
from coordinator.adapters.postgres import read_time, transaction
from coordinator.adapters.s3_listing import Listed
from coordinator.adapters.stores import Stores
from coordinator.domain.names import manifest_key
from coordinator.domain.uploads import Upload
from coordinator.operations.claim_prefix import PrefixTakenError, claim_prefix
from coordinator.operations.read_progress import ledger_or_nothing
from coordinator.operations.side_by_side import side_by_side
from coordinator.telemetry import SWEPT

_log = structlog.get_logger(__name__)

_DAY: Final = timedelta(days=1)
_SIGNINGS_KEPT: Final = timedelta(days=7)
# What probes are called; a tenant's uploads are not.
_PROBE: Final = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}")


async def sweep_bucket(
    stores: Stores, prefix: str, *, older_than: timedelta = _DAY, quiet: timedelta | None = None
) -> bool:
    """Sweep once; ``False`` when the prefix is another installation's, and nothing was touched.

    ``older_than``: how old a multipart must be that no row knows. ``quiet``: how long an upload
    must have FAILED, so that nothing that was sent before is still under way.
    """
    try:
        await claim_prefix(stores, prefix)
    except PrefixTakenError as refusal:
        _log.error("nothing swept", reason=str(refusal))
        return False
    quiet = stores.lease + stores.s3_deadline if quiet is None else quiet

    async for batch in leftovers.find(stores.pool, stores.bucket.name, quiet=quiet):
        await side_by_side("sweep of an upload", partial(_sweep_upload, stores), batch)
    await _drop_signings(stores)
    await _sweep_orphans(stores, prefix, older_than)
    await _sweep_probes(stores, prefix, older_than)
    return True


async def _sweep_upload(stores: Stores, upload: Upload) -> None:
    """Leave nothing of a FAILED upload; an object without its token is somebody else's."""
    structlog.contextvars.bind_contextvars(upload_id=upload.public_id)
    bucket = stores.bucket
    if upload.multipart_id is not None:
        await bucket.abort(upload.object_key, upload.multipart_id)
    for key in (upload.object_key, manifest_key(upload.object_key)):
        facts = await bucket.facts(key)
        if facts is not None and facts.token == upload.token:
            await bucket.delete(key)
            SWEPT.labels("object").inc()
            _log.info("object of a failed upload deleted")
    points.passed("leftovers-gone")
    async with transaction(stores.pool) as tx:
        await leftovers.mark_swept(tx, upload.id)
    await ledger_or_nothing(stores.ledger.forget(upload))
    SWEPT.labels("upload").inc()


async def _drop_signings(stores: Stores) -> None:
    dropped = 1
    while dropped:
        async with stores.pool.connection() as conn:
            dropped = await leftovers.drop_signings(conn, keep=_SIGNINGS_KEPT)


async def _sweep_orphans(stores: Stores, prefix: str, older_than: timedelta) -> None:
    """Abort what is old and no open upload's; the list is read whole before it changes."""
    orphans: list[Listed] = []
    async for old in _old(stores, stores.bucket.list_multiparts(f"{prefix}/"), older_than):
        async with stores.pool.connection() as conn:
            orphans += await leftovers.unknown_of(conn, old)

    async def abort(orphan: Listed) -> None:
        await stores.bucket.abort(orphan.key, orphan.multipart_id)
        points.passed("orphan-aborted")
        SWEPT.labels("orphan").inc()

    aborted = await side_by_side("sweep of an orphan", abort, orphans)
    if orphans:
        _log.info("orphaned multiparts aborted", found=len(orphans), aborted=aborted)


async def _sweep_probes(stores: Stores, prefix: str, older_than: timedelta) -> None:
    """Delete what ``coordinator doctor`` left when it was ended half way."""
    folder = f"{prefix}/{probing.FOLDER}/"

    async def delete(probe: Listed) -> None:
        await stores.bucket.delete(probe.key)
        SWEPT.labels("probe").inc()

    probes: list[Listed] = []
    async for old in _old(stores, stores.bucket.list_objects(folder), older_than):
        probes += [each for each in old if _PROBE.fullmatch(each.key.removeprefix(folder))]
    await side_by_side("sweep of a probe", delete, probes)


async def _old(
    stores: Stores, pages: AsyncIterator[list[Listed]], older_than: timedelta
) -> AsyncIterator[list[Listed]]:
    """Keep what is older, S3's date compared with the database's clock."""
    async for page in pages:
        async with stores.pool.connection() as conn:
            now = await read_time(conn)
        yield [each for each in page if each.since <= now - older_than]
