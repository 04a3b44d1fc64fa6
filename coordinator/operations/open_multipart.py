"""Give an upload its S3 multipart, whoever comes first."""

from coordinator import points
from coordinator.adapters import uploads
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import UploadNotFoundError, WrongPhaseError
from coordinator.domain.uploads import Owner, Upload
from coordinator.operations.drop_multipart import drop_multipart


async def open_multipart(stores: Stores, upload: Upload) -> Upload:
    """Return ``upload`` with a multipart id, making the multipart if the row has none.

    The row was committed before, so a crash here leaves a row that the next caller mends, and at
    worst a multipart without parts, which the bucket's lifecycle rule removes.

    Raises:
        WrongPhaseError: the upload ended meanwhile.
        UploadNotFoundError: it is being erased.

    """
    if upload.multipart_id is not None:
        return upload
    points.passed("opened")
    multipart_id = await stores.bucket.create_multipart(
        upload.object_key, token=upload.token, file_type=upload.file_type
    )
    points.passed("multipart-created")
    try:
        async with transaction(stores.pool) as tx:
            stored = await uploads.set_multipart(tx, upload, multipart_id)
            current = stored or await uploads.read(tx, upload.id, Owner(upload.tenant, None))
    except UploadNotFoundError:
        # It is being erased, or was: whoever did that may have listed S3 before.
        await drop_multipart(stores, upload.object_key, multipart_id)
        raise
    points.passed("multipart-stored" if stored else "multipart-lost-race")
    if stored is None:
        await drop_multipart(stores, upload.object_key, multipart_id)
    if current.multipart_id is None or not current.is_open:
        raise WrongPhaseError(phase=current.phase, event="sign chunks", reason=current.reason)
    return current
