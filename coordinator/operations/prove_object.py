"""Look at the object at an upload's key: an object alone is no proof."""

from enum import Enum, auto

from botocore.exceptions import BotoCoreError, ClientError

from coordinator import points
from coordinator.adapters.s3_answers import BusyError
from coordinator.adapters.stores import Stores
from coordinator.domain.assembly import Content
from coordinator.domain.capabilities import Check
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.uploads import Upload

# What a call of S3 may end in that tells nothing of what was done.
NO_ANSWER = (TimeoutError, BotoCoreError, ClientError, BusyError)


class UnsettledError(Exception):
    """S3's answer was lost and nothing could be proven yet: a later attempt will."""


class Finding(Enum):
    """What stands at the key."""

    NOTHING = auto()
    OURS = auto()  # token, size and root: proven
    DAMAGED = auto()  # our token on an object that is not what it should be
    FOREIGN = auto()  # somebody else's


async def look(stores: Stores, upload: Upload, content: Content) -> Finding:
    """Compare token, size and root of the object at the key, one call of S3.

    Raises:
        UnsettledError: S3 does not say.

    """
    try:
        facts = await stores.bucket.facts(upload.object_key)
    except (CoordinatorError, *NO_ANSWER) as exc:
        raise UnsettledError(upload.public_id) from exc
    if facts is None:
        return Finding.NOTHING
    if facts.token != upload.token:
        return Finding.FOREIGN
    if facts.size_bytes != upload.size_bytes:
        return Finding.DAMAGED
    if stores.capabilities.has(Check.COMPOSITE_CHECKSUM):
        if facts.root is None:
            raise UnsettledError(upload.public_id)
        if facts.root != content.root:
            return Finding.DAMAGED
    points.passed("proven")
    return Finding.OURS
