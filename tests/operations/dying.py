"""Attempts that died half way: what they leave in Postgres and in S3."""

from datetime import timedelta

from coordinator.adapters import leases, signings, uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import assemble
from coordinator.domain.checksums import Declared
from coordinator.domain.phases import Intent
from coordinator.domain.uploads import Seal, Upload, seal
from tests.builders import row_of, uuid_of

DEAD = timedelta(seconds=-1)


async def die_sealed(
    stores: Stores,
    upload_id: str,
    *,
    intent: Intent = Intent.COMPLETE,
    lease: timedelta = DEAD,
) -> Upload:
    """Take the lease, which has run out, and do nothing with it."""
    async with transaction(stores.pool) as tx:
        held = await uploads.lock_any(tx, uuid_of(upload_id))
        decision = seal(held, intent, Declared(), None)
        assert isinstance(decision, Seal)
        return await leases.take(tx, held.id, decision, lease=lease)


async def assemble_in_s3(stores: Stores, upload_id: str) -> None:
    """Complete the multipart in S3 and tell Postgres nothing: the answer was lost."""
    upload = await row_of(stores.pool, upload_id)
    assert upload.multipart_id is not None
    async with stores.pool.connection() as conn:
        digests = await signings.read_digests(conn, upload.id)
    listed = await stores.bucket.list_parts(upload.object_key, upload.multipart_id, upload.plan)
    parts = assemble(upload.plan, digests, listed)
    await stores.bucket.complete(
        upload.object_key, upload.multipart_id, parts, size_bytes=upload.size_bytes
    )


async def abort_in_s3(stores: Stores, upload_id: str) -> None:
    """Abort the multipart behind the service's back, as a bucket's lifecycle rule does."""
    upload = await row_of(stores.pool, upload_id)
    assert upload.multipart_id is not None
    await stores.bucket.abort(upload.object_key, upload.multipart_id)
