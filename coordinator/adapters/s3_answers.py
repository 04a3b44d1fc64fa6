"""The answers that we expect of S3 besides success, by name; every other error flies as it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from botocore.exceptions import ClientError

from coordinator.domain.errors import ClockOffError, StoreRefusedError


class MultipartGoneError(Exception):
    """S3 knows no such multipart: completed, aborted, or swept by the bucket's rule."""


class ObjectGoneError(Exception):
    """There is no object at the key."""


class BadPartsError(Exception):
    """S3 refused the list of parts; nothing was assembled."""


class ConflictError(Exception):
    """409: S3 wants the parts again, in a new multipart."""


class ObjectExistsError(Exception):
    """412: an object stands at the key; whose, HeadObject must tell."""


class BusyError(Exception):
    """S3 is asked too often (SlowDown): it has done nothing, and will later."""


# By the code in the error's body, else by its status.
_NAMES: Final[Mapping[str, type[Exception]]] = {
    **dict.fromkeys(("NoSuchUpload", "404"), MultipartGoneError),
    "NoSuchKey": ObjectGoneError,
    # SeaweedFS answers BadDigest where AWS answers InvalidPart.
    **dict.fromkeys(
        ("InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest"), BadPartsError
    ),
    **dict.fromkeys(
        ("SlowDown", "ServiceUnavailable", "Throttling", "TooManyRequests", "503"), BusyError
    ),
}
_STATUSES: Final[Mapping[int, type[Exception]]] = {
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.PRECONDITION_FAILED: ObjectExistsError,
}
_CLOCK: Final = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
# 4xx, but nothing was decided: the server waited too long for us.
_TIMEOUTS: Final = frozenset({"RequestTimeout", "408"})


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the answers that we expect of S3 into names; the rest flies.

    A 5xx, a 200 with another error in its body, or no answer say nothing of what was done.
    """
    try:
        yield
    except ClientError as exc:
        raise _named(exc) from exc


def _named(exc: ClientError) -> Exception:
    code = exc.response["Error"]["Code"]
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _CLOCK:
        return ClockOffError("S3 refuses the time in the service's signatures.", s3_code=code)
    if name := _NAMES.get(code) or _STATUSES.get(status):
        return name(code)
    if (
        HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        and code not in _TIMEOUTS
    ):
        return StoreRefusedError(f"S3 refused the service's request ({code}).", s3_code=code)
    return exc
