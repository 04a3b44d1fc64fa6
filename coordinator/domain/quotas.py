"""What a tenant may use, and the decision whether one more upload fits into it."""

from datetime import date
from enum import StrEnum
from typing import Final

import msgspec

from coordinator.domain.errors import QuotaExceededError

DEFAULT_TENANT: Final = "*"  # its row says what every tenant may whose own row does not say


class TypeCheck(StrEnum):
    """What happens to a file that is not of the type that it was declared to be."""

    OFF = "off"  # nobody looks
    NOTE = "note"  # what it was found to be is shown
    REFUSE = "refuse"  # it is refused at init, or FAILED once its bytes show it


class _Limits(msgspec.Struct, frozen=True, kw_only=True):
    open_uploads: int | None = None
    bytes_a_day: int | None = None
    stored_bytes: int | None = None
    largest_file: int | None = None
    chunks_a_second: int | None = None
    file_types: list[str] | None = None


class QuotaRow(_Limits, frozen=True, kw_only=True):
    """A tenant's own row; ``None``: as the default tenant has it."""

    type_check: TypeCheck | None = None


class Quotas(_Limits, frozen=True, kw_only=True):
    """What holds for a tenant; ``None``: without limit."""

    type_check: TypeCheck = TypeCheck.NOTE


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant uses. ``day_bytes`` were opened on ``day`` (UTC)."""

    open_uploads: int
    stored_bytes: int
    day_bytes: int
    day: date


class Standing(msgspec.Struct, frozen=True):
    """What a tenant may use and what it uses, read at once."""

    quotas: Quotas
    usage: Usage


def check_size(quotas: Quotas, size_bytes: int) -> None:
    """Refuse a file that is larger than any of the tenant's may be.

    Raises:
        QuotaExceededError: it is; ``used`` is the file's size.

    """
    limit = quotas.largest_file
    if limit is not None and size_bytes > limit:
        raise QuotaExceededError("largestFile", limit=limit, used=size_bytes)


def check_reserved(standing: Standing, size_bytes: int) -> None:
    """Refuse an upload of ``size_bytes`` that is counted in ``standing`` already but does not fit.

    ``standing`` must have been read in the transaction that counted the upload: the count is locked
    then, so nobody else's uploads are missing in it.

    Raises:
        QuotaExceededError: it does not fit; ``used`` is without this upload.

    """
    quotas, usage = standing.quotas, standing.usage
    for quota, limit, used, own in (
        ("openUploads", quotas.open_uploads, usage.open_uploads, 1),
        ("bytesADay", quotas.bytes_a_day, usage.day_bytes, size_bytes),
        ("storedBytes", quotas.stored_bytes, usage.stored_bytes, size_bytes),
    ):
        # A file of 0 bytes takes none of the bytes that others have used up.
        if limit is not None and own and used > limit:
            raise QuotaExceededError(quota, limit=limit, used=used - own)


def changes(before: QuotaRow, after: QuotaRow) -> dict[str, list[object]]:
    """Return what differs, old and new; of the list of types its length.

    >>> changes(QuotaRow(open_uploads=5), QuotaRow(open_uploads=6, file_types=["text/*"]))
    {'open_uploads': [5, 6], 'file_types': [None, 1]}
    """
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: [_told(old[name]), _told(new[name])] for name in old if old[name] != new[name]}


def _told(value: object) -> object:
    return len(value) if isinstance(value, list) else value
