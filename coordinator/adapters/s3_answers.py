"""The answers that we expect of S3 besides success, by name; every other error flies as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import ClientError

from coordinator.domain.errors import StoreRefusedError

_GONE: Final = frozenset({"NoSuchUpload", "404"})
# SeaweedFS answers BadDigest where AWS answers InvalidPart.
_BAD_PARTS: Final = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest"})
_REFUSALS: Final = frozenset(
    {"AccessDenied", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
)


class MultipartGoneError(Exception):
    """S3 knows no such multipart: completed, aborted, or swept by the bucket's rule."""


class BadPartsError(Exception):
    """S3 refused the list of parts; nothing was assembled."""


class ConflictError(Exception):
    """S3 wants the parts again, in a new multipart (409), or the key is taken (412)."""


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the answers that we expect of S3 into names; the rest flies."""
    try:
        yield
    except ClientError as exc:
        code = exc.response["Error"]["Code"]
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _GONE:
            raise MultipartGoneError(code) from exc
        if code in _BAD_PARTS:
            raise BadPartsError(code) from exc
        if status in {409, 412}:
            raise ConflictError(code) from exc
        if code in _REFUSALS:
            raise StoreRefusedError(
                f"S3 refused the service's request ({code}).", s3_code=code
            ) from exc
        raise
