"""S3's lists, page by page: the parts of a multipart, multiparts and objects under a prefix.

Rule: believe no page's length and no order. A server may answer pages that are shorter or longer
than asked for, or list a thing twice; whoever reads a list follows its markers, and only forwards.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from coordinator.adapters.s3_clients import calling
from coordinator.domain.assembly import ListedPart
from coordinator.domain.plan import Plan

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import (
        ListMultipartUploadsRequestTypeDef,
        ListObjectsV2RequestTypeDef,
        ListPartsRequestTypeDef,
        PartTypeDef,
    )

_PAGE: Final = 1_000


class Listed(msgspec.Struct, frozen=True):
    """A multipart as S3 lists it, or an object, which has no ``multipart_id``."""

    key: str
    since: datetime  # by S3's clock: when it was initiated, or last written
    multipart_id: str = ""


async def list_parts(
    s3: "S3Client", bucket: str, key: str, multipart_id: str, plan: Plan
) -> list[ListedPart]:
    """List the parts, in slices of 1,000 side by side, each to past its own last number.

    Raises:
        MultipartGoneError: S3 knows no such multipart.

    """
    multipart: ListPartsRequestTypeDef = {"Bucket": bucket, "Key": key, "UploadId": multipart_id}
    starts = range(0, plan.chunk_count, _PAGE)
    slices = await asyncio.gather(*(_list_slice(s3, multipart, first) for first in starts))
    once = dict.fromkeys(part for found in slices for part in found)
    return sorted(once, key=lambda part: part.number)


async def _list_slice(
    s3: "S3Client", multipart: "ListPartsRequestTypeDef", first: int
) -> list[ListedPart]:
    found: list[ListedPart] = []
    marker, last = first, first + _PAGE
    while marker < last:
        request: ListPartsRequestTypeDef = {
            **multipart,
            "MaxParts": _PAGE,
            "PartNumberMarker": marker,
        }
        async with calling("ListParts"):
            page = await s3.list_parts(**request)
        parts = page.get("Parts", [])
        found += [_listed(part) for part in parts]
        # SeaweedFS sorts part 10,000 before 1,000: a page that ends there must not end the slice.
        within = [part["PartNumber"] for part in parts if part["PartNumber"] <= last]
        following = max(within, default=int(page.get("NextPartNumberMarker") or 0))
        if not page.get("IsTruncated") or following <= marker:
            break
        marker = following
    return found


def _listed(part: "PartTypeDef") -> ListedPart:
    shown = part.get("ChecksumSHA256")
    return ListedPart(
        number=part["PartNumber"],
        etag=part["ETag"].strip('"'),
        size_bytes=part["Size"],
        sha256=base64.b64decode(shown) if shown else None,
    )


async def has_parts(s3: "S3Client", bucket: str, key: str, multipart_id: str) -> bool:
    """Say whether S3 lists any part.

    Raises:
        MultipartGoneError: S3 knows no such multipart.

    """
    async with calling("ListParts"):
        page = await s3.list_parts(Bucket=bucket, Key=key, UploadId=multipart_id)
    return bool(page.get("Parts"))


async def list_multiparts(
    s3: "S3Client", bucket: str, prefix: str, *, page_size: int = _PAGE
) -> AsyncIterator[list[Listed]]:
    """List what is open under ``prefix``, page by page; it may be gone already.

    The markers are sent as they were given: SeaweedFS orders by upload id and gives no key.
    """
    request: ListMultipartUploadsRequestTypeDef = {
        "Bucket": bucket,
        "Prefix": prefix,
        "MaxUploads": page_size,
    }
    markers: tuple[str, str] | None = None
    while True:
        async with calling("ListMultipartUploads"):
            page = await s3.list_multipart_uploads(**request)
        yield [
            Listed(each["Key"], each["Initiated"], each["UploadId"])
            for each in page.get("Uploads", [])
            if each["Key"].startswith(prefix)
        ]
        markers = next_markers(page, "NextUploadIdMarker", before=markers)
        if markers is None:
            return
        if markers[0]:
            request["KeyMarker"] = markers[0]
        if markers[1]:
            request["UploadIdMarker"] = markers[1]


def next_markers(
    page: Mapping[str, object], second: str, *, before: tuple[str, str] | None
) -> tuple[str, str] | None:
    """Return the two markers of the next page; ``None`` where a list ends or goes round."""
    given = (str(page.get("NextKeyMarker") or ""), str(page.get(second) or ""))
    return None if not page.get("IsTruncated") or given in {before, ("", "")} else given


async def list_objects(s3: "S3Client", bucket: str, prefix: str) -> AsyncIterator[list[Listed]]:
    """List objects under ``prefix``, page by page."""
    request: ListObjectsV2RequestTypeDef = {"Bucket": bucket, "Prefix": prefix}
    while True:
        async with calling("ListObjectsV2"):
            page = await s3.list_objects_v2(**request)
        yield [
            Listed(each["Key"], each["LastModified"])
            for each in page.get("Contents", [])
            if each["Key"].startswith(prefix)
        ]
        given = page.get("NextContinuationToken")
        if not page.get("IsTruncated") or not given or given == request.get("ContinuationToken"):
            return
        request["ContinuationToken"] = given
