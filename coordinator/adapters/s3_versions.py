"""All that S3 keeps of objects: every version and every delete marker.

A bucket without versions lists each object as the one version ``null``, and forgets it for good by
that name, too.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from coordinator.adapters.s3_clients import calling
from coordinator.adapters.s3_listing import next_markers

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import (
        ListObjectVersionsOutputTypeDef,
        ListObjectVersionsRequestTypeDef,
    )


class Version(msgspec.Struct, frozen=True):
    """A version of an object, or a delete marker, which has no bytes."""

    key: str
    version_id: str
    size_bytes: int
    is_current: bool  # whoever asks for the key without a version reads it
    is_marker: bool


async def list_versions(
    s3: "S3Client", bucket: str, prefix: str, *, page_size: int = 1_000
) -> AsyncIterator[list[Version]]:
    """List versions and markers under ``prefix``, page by page, versions first in each."""
    request: ListObjectVersionsRequestTypeDef = {
        "Bucket": bucket,
        "Prefix": prefix,
        "MaxKeys": page_size,
    }
    markers: tuple[str, str] | None = None
    while True:
        async with calling("ListObjectVersions"):
            page = await s3.list_object_versions(**request)
        yield [each for each in _versions(page) if each.key.startswith(prefix)]
        markers = next_markers(page, "NextVersionIdMarker", before=markers)
        if markers is None:
            return
        request["KeyMarker"] = markers[0]
        if markers[1]:
            request["VersionIdMarker"] = markers[1]


def _versions(page: "ListObjectVersionsOutputTypeDef") -> list[Version]:
    versions = [
        Version(each["Key"], each["VersionId"], each["Size"], each["IsLatest"], is_marker=False)
        for each in page.get("Versions", [])
    ]
    markers = [
        Version(each["Key"], each["VersionId"], 0, is_current=False, is_marker=True)
        for each in page.get("DeleteMarkers", [])
    ]
    return versions + markers


async def delete_version(s3: "S3Client", bucket: str, version: Version) -> None:
    """Delete it for good; one that is gone is fine.

    Raises:
        StoreRefusedError: S3 keeps it, under a lock or for want of a permission.

    """
    async with calling("DeleteObject"):
        await s3.delete_object(Bucket=bucket, Key=version.key, VersionId=version.version_id)


async def tag(s3: "S3Client", bucket: str, key: str, name: str, value: str) -> None:
    """Give the object this one tag, in place of all that it had.

    Raises:
        ObjectGoneError: there is none.

    """
    async with calling("PutObjectTagging"):
        await s3.put_object_tagging(
            Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": name, "Value": value}]}
        )
