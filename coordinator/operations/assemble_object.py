"""Bring an upload's object into being, or find out why it cannot be.

Whoever calls holds the lease. Everything but :class:`UnsettledError` and a lost lease is certain:
the object is there and right, or S3 has not assembled it and the upload can be opened again.
"""

from collections.abc import Mapping

import structlog

import manifests
from coordinator import points
from coordinator.adapters import clock, leases
from coordinator.adapters.bucket import TooLateError
from coordinator.adapters.leases import LeaseLostError
from coordinator.adapters.s3_answers import (
    BadPartsError,
    BusyError,
    ConflictError,
    MultipartGoneError,
    ObjectExistsError,
)
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import (
    AssemblyPart,
    Content,
    assemble,
    check_declared,
    check_manifest,
    content_of,
)
from coordinator.domain.capabilities import Check
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import KeyTakenError, PartsMissingError, UnavailableError
from coordinator.domain.uploads import Upload
from coordinator.operations.delete_damaged import delete_damaged
from coordinator.operations.prove_object import NO_ANSWER, Finding, UnsettledError, look

_log = structlog.get_logger(__name__)


class PartsLostError(Exception):
    """The multipart is of no use any more: every chunk is needed again, in a new one."""


async def assemble_object(
    stores: Stores,
    upload: Upload,
    digests: Mapping[int, bytes],
    manifest: manifests.Manifest | None,
) -> Content:
    """Compare what S3 holds with the digests, assemble it, and return what the object is.

    Raises:
        PartsMissingError: S3 lacks chunks.
        ChecksumMismatchError: what S3 holds is not what was declared.
        KeyTakenError: somebody else's object stands at the key.
        PartsLostError: S3 has dropped the multipart, or wants the parts in a new one.
        UnavailableError: S3 did nothing, for it is asked too often.
        StoreRefusedError: S3 refuses for a reason that chunks cannot mend.
        UnsettledError: S3's answer was lost; whoever takes over settles it by proof.
        LeaseLostError: another attempt has taken over, or will before S3 could answer.

    """
    content = content_of(upload.plan, digests)
    if content is None:
        # A chunk was never signed, so nothing of this upload was ever assembled.
        raise PartsMissingError(await _lacking(stores, upload, digests))
    check_declared(content, Declared(upload.declared_sha256, upload.declared_root))
    if manifest is not None:
        check_manifest(content, manifest)
    if upload.attempt > 1 and await look(stores, upload, content) is Finding.OURS:
        return content
    try:
        await _compare_and_complete(stores, upload, content, digests)
    except BadPartsError:
        # A part was sent again between listing and completing.
        await _compare_and_complete_again(stores, upload, content, digests)
    return content


async def _compare_and_complete_again(
    stores: Stores, upload: Upload, content: Content, digests: Mapping[int, bytes]
) -> None:
    try:
        await _compare_and_complete(stores, upload, content, digests)
    except BadPartsError as exc:
        raise PartsMissingError(range(upload.plan.chunk_count)) from exc


async def _lacking(stores: Stores, upload: Upload, digests: Mapping[int, bytes]) -> list[int]:
    plan = upload.plan
    if upload.multipart_id is None:
        return list(range(plan.chunk_count))
    try:
        listed = await stores.bucket.list_parts(upload.object_key, upload.multipart_id, plan)
        assemble(plan, digests, listed)
    except PartsMissingError as exc:
        return exc.missing
    except MultipartGoneError as exc:
        raise PartsLostError from exc
    raise AssertionError("a chunk that was never signed cannot be there")


async def _compare_and_complete(
    stores: Stores, upload: Upload, content: Content, digests: Mapping[int, bytes]
) -> None:
    """Compare what S3 lists with the digests that are fixed, and assemble it."""
    plan, multipart_id = upload.plan, upload.multipart_id
    if multipart_id is None:
        await _settle(stores, upload, content, PartsMissingError(range(plan.chunk_count)))
        return
    try:
        listed = await stores.bucket.list_parts(upload.object_key, multipart_id, plan)
    except MultipartGoneError:
        # Completed by an attempt whose answer was lost, or dropped by the bucket's lifecycle rule.
        await _settle(stores, upload, content, PartsLostError())
        return
    parts = assemble(plan, digests, listed)
    if not stores.capabilities.has(Check.IF_NONE_MATCH):
        await _check_key_is_free(stores, upload, content)
    points.passed("compared")
    await _complete(stores, upload, content, multipart_id, parts)


async def _check_key_is_free(stores: Stores, upload: Upload, content: Content) -> None:
    """Look before S3 is told, where S3 would replace an object that stands there."""
    if await look(stores, upload, content) is Finding.FOREIGN:
        raise KeyTakenError(upload.object_key)


async def _complete(
    stores: Stores,
    upload: Upload,
    content: Content,
    multipart_id: str,
    parts: tuple[AssemblyPart, ...],
) -> None:
    """Send CompleteMultipartUpload, once in this lease, and believe only what shows the root.

    From here on a takeover waits for the lease and S3's deadline: S3 may go on after we hang up.
    """
    start_by = clock.elapsed() + (stores.lease - stores.s3_deadline).total_seconds()
    async with stores.pool.connection() as conn:
        await leases.extend(conn, upload, lease=stores.lease + stores.s3_deadline)
    try:
        root = await stores.bucket.complete(
            upload.object_key,
            multipart_id,
            parts,
            size_bytes=upload.size_bytes,
            start_by=start_by,
        )
    except TooLateError as exc:
        raise LeaseLostError(upload.public_id) from exc
    except (MultipartGoneError, ConflictError):
        await _settle(stores, upload, content, PartsLostError())
    except ObjectExistsError:
        await _settle(stores, upload, content, KeyTakenError(upload.object_key))
    except BusyError as exc:
        busy = UnavailableError("S3 is asked too often now. Complete again.")
        raise busy from exc
    except NO_ANSWER as exc:
        _log.warning("answer of S3 lost", error=type(exc).__name__)
        await _settle(stores, upload, content, UnsettledError(upload.public_id))
    else:
        points.passed("after-complete")
        if root != content.root or stores.capabilities.needs_reading:
            await _settle(stores, upload, content, UnsettledError(upload.public_id))


async def _settle(stores: Stores, upload: Upload, content: Content, otherwise: Exception) -> None:
    """Return if the object is proven; what is ours and damaged goes, with its multipart.

    Raises:
        Exception: ``otherwise``, when there is no object or somebody else's.

    """
    match await look(stores, upload, content):
        case Finding.OURS:
            return
        case Finding.DAMAGED:
            _log.error("S3 assembled a wrong object", upload_id=upload.public_id)
            await delete_damaged(stores, upload)
            raise PartsLostError
        case Finding.FOREIGN if isinstance(otherwise, UnsettledError):
            raise KeyTakenError(upload.object_key)
        case _:
            raise otherwise
