"""What an S3 server may or may not enforce, and what follows from it.

The checks are found out by probing (``coordinator doctor``, and in short at start-up), never by the
server's name or version.
"""

from enum import StrEnum
from typing import Final

import msgspec


class Check(StrEnum):
    """One thing that S3 does, by the name that settings and `coordinator doctor` give it."""

    TAMPERED_URL = "tampered-url"  # a URL whose signature was changed is refused
    EXPIRED_URL = "expired-url"
    OTHER_PART = "other-part"  # a URL serves no other part than the one it was signed for
    WRONG_LENGTH = "wrong-length"  # a body longer than signed is refused
    WRONG_BYTES = "wrong-bytes"  # bytes that are not of the signed sha256 are refused
    HEADER_LEFT_OUT = "header-left-out"  # the checksum's header cannot be left out
    PART_WITHOUT_CHECKSUM = "part-without-checksum"  # refused in a SHA256 multipart
    PART_DIGEST_AT_COMPLETE = "part-digest-at-complete"  # a wrong one is refused
    OBJECT_SIZE_AT_COMPLETE = "object-size-at-complete"  # a wrong MpuObjectSize is refused
    IF_NONE_MATCH = "if-none-match"  # no object is replaced by completing
    COMPOSITE_CHECKSUM = "composite-checksum"  # HeadObject shows the right root
    REPEATED_COMPLETE = "repeated-complete"  # a second one answers the same
    CONCURRENT_COMPLETES = "concurrent-completes"  # two at once leave a whole object
    LISTED_DIGESTS = "listed-digests"  # ListParts shows the parts' sha256
    ATTRIBUTES = "attributes"  # GetObjectAttributes shows checksum and parts


# Without these anybody who sees a URL can write what he likes: nothing that completion does helps.
ESSENTIAL: Final = frozenset(
    {
        Check.TAMPERED_URL,
        Check.EXPIRED_URL,
        Check.OTHER_PART,
        Check.HEADER_LEFT_OUT,
    }
)


class Capabilities(msgspec.Struct, frozen=True):
    """What a bucket turned out not to do; nothing is lacking until a probe says so."""

    lacking: frozenset[Check] = frozenset()

    def has(self, check: Check) -> bool:
        """Say whether the bucket does it."""
        return check not in self.lacking

    @property
    def needs_reading(self) -> bool:
        """Whether only reading an object proves it: S3's word on bytes is worth nothing."""
        return bool(self.lacking & {Check.WRONG_BYTES, Check.COMPOSITE_CHECKSUM})

    def fatal(self, accepted: frozenset[Check]) -> list[Check]:
        """Return what the service does not start without, but for what the operator accepted."""
        return sorted((self.lacking & ESSENTIAL) - accepted)


EVERYTHING: Final = Capabilities()
