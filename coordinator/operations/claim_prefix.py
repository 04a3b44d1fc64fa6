"""Claim the prefix in the bucket: two installations that shared one would sweep each other's.

The marker object holds the id of the installation that came first, which is in its database too.
"""

import asyncio
from typing import Final
from uuid import UUID

import msgspec

from coordinator import points
from coordinator.adapters import installation
from coordinator.adapters.bucket import Bucket
from coordinator.adapters.s3_answers import ConflictError, ObjectExistsError, ObjectGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.names import marker_key

_MARKER_BYTES: Final = 4_096
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 0.2
_ABOUT: Final = (
    "Everything under this prefix belongs to one installation of upload-coordinator: the one whose "
    "database has this id. Others refuse to work here. Delete this object only if it is gone."
)


class PrefixTakenError(Exception):
    """The prefix belongs to another installation, or nobody can say to whom."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"another installation uses this prefix of the bucket (its marker is {key}, and its id "
            "is not the one in this database). Give this installation a prefix of its own in "
            "COORDINATOR_S3_PREFIX; only if the other one is gone for good, delete that object"
        )


class _Marker(msgspec.Struct, frozen=True):
    installation: UUID
    about: str = _ABOUT


async def claim_prefix(stores: Stores, prefix: str) -> None:
    """Make the prefix ours, or find that it is. May be repeated, by many processes at once.

    Raises:
        PrefixTakenError: it is somebody else's.

    """
    async with stores.pool.connection() as conn:
        own = await installation.own_id(conn)
    points.passed("prefix-named")
    key = marker_key(prefix)
    owner = await owner_of(stores.bucket, prefix)
    for _ in range(_TRIES):
        if owner is not None:
            break
        await _write(stores, key, _Marker(own))
        # Whoever was first counts, not who believes to be: some servers ignore the condition.
        owner = await owner_of(stores.bucket, prefix)
    if owner != own:
        raise PrefixTakenError(key)


async def owner_of(bucket: Bucket, prefix: str) -> UUID | None:
    """Return the installation that has claimed the prefix, if one has.

    Raises:
        PrefixTakenError: something else stands where the marker does.

    """
    key = marker_key(prefix)
    try:
        body = await bucket.read(key, first=0, length=_MARKER_BYTES)
        return msgspec.json.decode(body, type=_Marker).installation
    except ObjectGoneError:
        return None
    except msgspec.DecodeError as exc:
        raise PrefixTakenError(key) from exc


async def _write(stores: Stores, key: str, marker: _Marker) -> None:
    body = msgspec.json.format(msgspec.json.encode(marker))
    try:
        await stores.bucket.put_first(key, body, file_type="application/json")
    except ObjectExistsError:
        return
    except ConflictError:
        await asyncio.sleep(_PAUSE_SECONDS)
