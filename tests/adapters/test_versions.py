"""Versions and delete markers, as each S3 server lists them and lets them go."""

from typing import Final

import pytest

from coordinator.adapters.bucket import BucketOptions, open_bucket
from coordinator.adapters.s3_answers import ObjectGoneError
from coordinator.settings import Settings
from tests.erasing import versioned_bucket
from tests.localstack import S3Address

_TEXT: Final = "text/plain"


async def test_every_version_is_listed_once_whatever_a_page_holds(
    settings: Settings, s3_server: S3Address
) -> None:
    """And is gone for good once it is deleted; twice is fine."""
    async with versioned_bucket(s3_server) as name:
        options = BucketOptions(
            name=name,
            endpoint=settings.s3_endpoint,
            public_endpoint="",
            path_addressing=True,
            complete_seconds=settings.s3_deadline_seconds,
        )
        async with open_bucket(options) as bucket:
            for size in (1, 2, 3):
                await bucket.put("a/b/c", b"x" * size, file_type=_TEXT)
            await bucket.put("a/b/d", b"", file_type=_TEXT)
            await bucket.delete("a/b/c")
            await bucket.put("a/bc", b"another folder's", file_type=_TEXT)

            pages = [page async for page in bucket.list_versions("a/b/", page_size=2)]
            for version in [each for page in pages for each in page] * 2:
                await bucket.delete_version(version)
            left = [each async for page in bucket.list_versions("a/") for each in page]

    listed = [each for page in pages for each in page]
    assert len(pages) > 2
    assert len({each.version_id for each in listed}) == len(listed)
    assert sorted(
        (each.key, each.size_bytes, each.is_current, each.is_marker) for each in listed
    ) == [
        ("a/b/c", 0, False, True),
        ("a/b/c", 1, False, False),
        ("a/b/c", 2, False, False),
        ("a/b/c", 3, False, False),
        ("a/b/d", 0, True, False),
    ]
    assert [each.key for each in left] == ["a/bc"]


async def test_what_is_not_there_cannot_be_tagged(settings: Settings, s3_server: S3Address) -> None:
    """It is named as what it is, so that retention passes it by."""
    options = BucketOptions(
        name=settings.s3_bucket,
        endpoint=settings.s3_endpoint,
        public_endpoint="",
        path_addressing=True,
        complete_seconds=settings.s3_deadline_seconds,
    )
    assert s3_server.s3_bucket == settings.s3_bucket
    async with open_bucket(options) as bucket:
        with pytest.raises(ObjectGoneError):
            await bucket.tag(f"{settings.s3_prefix}/none", "a", "b")
