"""Delete an object of ours that is not what it should be, before its chunks are asked for again."""

from coordinator import points
from coordinator.adapters import leases
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.uploads import Upload
from coordinator.operations.prove_object import NO_ANSWER, UnsettledError


async def delete_damaged(stores: Stores, upload: Upload) -> None:
    """Delete it under a fresh lease: whoever lost his has seen an object of yesterday.

    Raises:
        LeaseLostError: another attempt has taken over; nothing was deleted.
        UnsettledError: S3 does not say whether it was.

    """
    async with stores.pool.connection() as conn:
        await leases.extend(conn, upload, lease=stores.lease)
    try:
        await stores.bucket.delete(upload.object_key)
    except (CoordinatorError, *NO_ANSWER) as exc:
        raise UnsettledError(upload.public_id) from exc
    points.passed("object-deleted")
