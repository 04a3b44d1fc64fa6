"""Look at a proven object's first bytes, then finish its upload, or fail it for its type."""

from coordinator.adapters import magic_numbers
from coordinator.adapters import quotas as quota_rows
from coordinator.adapters.kept_manifests import KeptManifest
from coordinator.adapters.s3_answers import ObjectGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.file_types import HEAD_BYTES, canonical, contradicts, type_of
from coordinator.domain.phases import Reason
from coordinator.domain.quotas import TypeCheck
from coordinator.domain.uploads import Upload
from coordinator.operations.fail_upload import fail_upload
from coordinator.operations.finish_upload import finish_upload
from coordinator.operations.prove_object import NO_ANSWER, UnsettledError


async def finish_or_refuse(
    stores: Stores, upload: Upload, kept: KeptManifest, *, actor: str
) -> Upload:
    """Make a proven upload COMPLETED, or FAILED where its tenant refuses its type.

    ``upload`` must hold the lease. The bytes may be read any number of times: what comes of them
    is written by whoever has the lease then.

    Raises:
        LeaseLostError: another attempt has taken over; nothing of this one stands in Postgres.
        UnsettledError: the tenant refuses types, and S3 does not show the bytes.

    """
    async with stores.pool.connection() as conn:
        check = (await quota_rows.effective(conn, upload.tenant)).type_check
    detected = await _detected(stores, upload, check)
    if (
        check is TypeCheck.REFUSE
        and detected is not None
        and contradicts(upload.file_type, upload.file_name, detected)
    ):
        return await fail_upload(
            stores, upload, Reason.TYPE_MISMATCH, actor=actor, detected=detected
        )
    return await finish_upload(stores, upload, kept, actor=actor, detected=detected)


async def _detected(stores: Stores, upload: Upload, check: TypeCheck) -> str | None:
    """Return the media type that the bytes say; ``None``: nobody asks, or they were not shown."""
    if check is TypeCheck.OFF or upload.size_bytes == 0:
        return None
    length = min(HEAD_BYTES, upload.size_bytes)
    try:
        head = await stores.bucket.read(upload.object_key, first=0, length=length)
    except (CoordinatorError, ObjectGoneError, *NO_ANSWER) as exc:
        if check is TypeCheck.REFUSE:
            raise UnsettledError(upload.public_id) from exc
        return None
    return type_of(head) or canonical(magic_numbers.guess(head) or "")
