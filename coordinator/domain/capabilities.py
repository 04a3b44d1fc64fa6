"""What an S3 server may or may not enforce, and what follows from it.

The checks are found out by probing (``coordinator doctor``, and in short at start-up), never by the
server's name or version.
"""

import difflib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Check(StrEnum):
    """One thing that S3 does, by the name that settings and `coordinator doctor` give it."""

    TAMPERED_URL = "tampered-url"  # a URL whose signature was changed is refused
    EXPIRED_URL = "expired-url"  # a URL whose time is over is refused
    OTHER_PART = "other-part"  # a URL serves no other part than the one it was signed for
    WRONG_LENGTH = "wrong-length"  # a body longer than signed is refused
    WRONG_BYTES = "wrong-bytes"  # bytes that are not of the signed sha256 are refused
    HEADER_LEFT_OUT = "header-left-out"  # the checksum's header cannot be left out
    PART_WITHOUT_CHECKSUM = "part-without-checksum"  # refused in a SHA256 multipart
    PART_DIGEST_AT_COMPLETE = "part-digest-at-complete"  # a wrong one is refused
    OBJECT_SIZE_AT_COMPLETE = "object-size-at-complete"  # a wrong MpuObjectSize is refused
    IF_NONE_MATCH = "if-none-match"  # no object is replaced by completing
    COMPOSITE_AT_COMPLETE = "composite-at-complete"  # the answer to completing has the right root
    COMPOSITE_CHECKSUM = "composite-checksum"  # HeadObject shows the right root
    REPEATED_COMPLETE = "repeated-complete"  # a second one answers the same
    CONCURRENT_COMPLETES = "concurrent-completes"  # two at once leave a whole object
    LISTED_DIGESTS = "listed-digests"  # ListParts shows the parts' sha256
    ATTRIBUTES = "attributes"  # GetObjectAttributes shows checksum and parts


# S3 not looking at what was signed: anybody who sees a URL can write other parts, other bytes, or
# for ever. That every byte is still compared before COMPLETED does not give the upload back to its
# owner. So nothing that completion does helps, and an operator must want it.
ESSENTIAL: Final = frozenset(
    {
        Check.TAMPERED_URL,
        Check.EXPIRED_URL,
        Check.OTHER_PART,
        Check.HEADER_LEFT_OUT,
    }
)

# Without one of these, what S3 says of an object's bytes may be what it was told.
_WORTHLESS_WORD: Final = frozenset(
    {Check.WRONG_BYTES, Check.PART_DIGEST_AT_COMPLETE, Check.COMPOSITE_CHECKSUM}
)

# What the service must know before it starts: what stops it, and what completion is chosen by.
DECISIVE: Final = ESSENTIAL | _WORTHLESS_WORD | {Check.IF_NONE_MATCH}


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What a check is to those who use the service, one sentence each."""

    enforced: str
    lacking: str
    instead: str  # what the service does
    do: str


_OTHER_STORE: Final = "Use a store that checks signatures, or accept it by name"
_NOTHING: Final = "Nothing; uploads are as safe as elsewhere"

MEANINGS: Final[Mapping[Check, Meaning]] = {
    Check.TAMPERED_URL: Meaning(
        enforced="A part URL cannot be changed or made up.",
        lacking="Anybody who reaches S3 can make up URLs and write into every open upload.",
        instead="Nothing helps: the service does not start.",
        do=f"{_OTHER_STORE} where nobody else reaches S3.",
    ),
    Check.EXPIRED_URL: Meaning(
        enforced="A part URL ends when it says so.",
        lacking="A part URL that leaked can be used for as long as the upload is open.",
        instead="Nothing helps: the service does not start.",
        do=f"{_OTHER_STORE} where URLs cannot leak.",
    ),
    Check.OTHER_PART: Meaning(
        enforced="A part URL writes the one part it was signed for.",
        lacking="Whoever sees one part URL can overwrite every other part of that upload.",
        instead="Nothing helps: the service does not start.",
        do=f"{_OTHER_STORE} where URLs cannot leak.",
    ),
    Check.WRONG_LENGTH: Meaning(
        enforced="A part has the length that was signed, and not a byte more.",
        lacking="A client can store longer parts than it announced until its upload ends.",
        instead="Completion reads every part's size itself and asks for wrong ones again.",
        do="Watch the bucket's size where clients are not trusted.",
    ),
    Check.WRONG_BYTES: Meaning(
        enforced="S3 refuses a part whose bytes were damaged or changed on their way.",
        lacking="S3 stores whatever arrives, whatever sha256 was signed.",
        instead="A worker reads every object once and compares each chunk before COMPLETED.",
        do="Nothing for safety; a store that checks saves the reading.",
    ),
    Check.HEADER_LEFT_OUT: Meaning(
        enforced="The sha256 that was signed cannot be left out.",
        lacking="Whoever sees a part URL can send any bytes with it, without the sha256.",
        instead="Nothing helps: the service does not start.",
        do=f"{_OTHER_STORE} where URLs cannot leak.",
    ),
    Check.PART_WITHOUT_CHECKSUM: Meaning(
        enforced="S3 takes no part without a sha256 into an upload of ours.",
        lacking="Someone with credentials of the bucket can add a part without a sha256.",
        instead="Every URL that the service signs demands one; completion compares the result.",
        do=f"{_NOTHING}.",
    ),
    Check.PART_DIGEST_AT_COMPLETE: Meaning(
        enforced="S3 assembles an object only of parts with the right sha256.",
        lacking="S3 assembles wrong parts too, and may repeat the sha256 that it was told.",
        instead="A worker reads every object once and compares each chunk before COMPLETED.",
        do="Nothing for safety; a store that checks saves the reading.",
    ),
    Check.OBJECT_SIZE_AT_COMPLETE: Meaning(
        enforced="S3 assembles an object only if it has the announced size.",
        lacking="S3 assembles an object of any size.",
        instead="Completion reads and compares the sizes of all parts itself, before.",
        do=f"{_NOTHING}.",
    ),
    Check.IF_NONE_MATCH: Meaning(
        enforced="Completing never replaces an object that stands at the key.",
        lacking="Completing replaces an object that somebody else wrote to the same key.",
        instead="Completion looks first; only what is written in that very moment is replaced.",
        do="Let nobody but this service write under its prefix.",
    ),
    Check.COMPOSITE_AT_COMPLETE: Meaning(
        enforced="The answer to completing shows the object's checksum.",
        lacking="The answer to completing does not show the object's checksum.",
        instead="Completion asks for it with HeadObject, one request more.",
        do=f"{_NOTHING}.",
    ),
    Check.COMPOSITE_CHECKSUM: Meaning(
        enforced="S3 shows the checksum of the whole object, which must equal the manifest's.",
        lacking="S3 does not show the right checksum of the object.",
        instead="A worker reads every object once and compares each chunk before COMPLETED.",
        do="Nothing for safety; a store with composite SHA-256 saves the reading.",
    ),
    Check.REPEATED_COMPLETE: Meaning(
        enforced="Completing again answers as the first time.",
        lacking="Completing again is refused although the object is there.",
        instead="An answer that was lost is settled by looking at the object: token, size, root.",
        do=f"{_NOTHING}.",
    ),
    Check.CONCURRENT_COMPLETES: Meaning(
        enforced="Two completions at the same time leave one whole object.",
        lacking="Two completions at the same time can damage the object.",
        instead="A lease in Postgres lets one completion of an upload be under way, never two.",
        do="Let nothing but this service complete its uploads.",
    ),
    Check.LISTED_DIGESTS: Meaning(
        enforced="ListParts shows each part's sha256, so a wrong part is named.",
        lacking="ListParts does not show sha256: it cannot be told which part is wrong.",
        instead="S3 compares them when completing; if it refuses, all chunks are asked for again.",
        do=f"{_NOTHING}.",
    ),
    Check.ATTRIBUTES: Meaning(
        enforced="GetObjectAttributes shows checksum and parts of a finished object.",
        lacking="GetObjectAttributes does not show checksum and parts of a finished object.",
        instead="HeadObject is used, and the service keeps every chunk's sha256 itself.",
        do=f"{_NOTHING}.",
    ),
}


class Capabilities(msgspec.Struct, frozen=True):
    """What a bucket turned out not to do; nothing is lacking until a probe says so."""

    lacking: frozenset[Check] = frozenset()

    def has(self, check: Check) -> bool:
        """Say whether the bucket does it."""
        return check not in self.lacking

    @property
    def needs_reading(self) -> bool:
        """Whether only reading an object proves it: S3's word on bytes is worth nothing."""
        return bool(self.lacking & _WORTHLESS_WORD)

    def fatal(self, accepted: frozenset[Check]) -> list[Check]:
        """Return what the service does not start without, but for what the operator accepted."""
        return sorted((self.lacking & ESSENTIAL) - accepted)


EVERYTHING: Final = Capabilities()


def named(text: str) -> frozenset[Check]:
    """Read names of checks, separated by commas.

    >>> sorted(named("tampered-url, expired-url,"))
    [<Check.EXPIRED_URL: 'expired-url'>, <Check.TAMPERED_URL: 'tampered-url'>]

    Raises:
        ValueError: a name is unknown; the message has the nearest, or all.

    """
    known = sorted(check.value for check in Check)
    names = [name for entry in text.split(",") if (name := entry.strip())]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
            raise ValueError(f"{name} is no check of S3. {hint}")
    return frozenset(Check(name) for name in names)
