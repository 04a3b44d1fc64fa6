"""What the service's credentials must be allowed to do, by the names that IAM policies have."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

_NAMED: Final = re.compile(r"not authorized to perform: (?P<action>[a-z0-9]+:[A-Za-z0-9]+)")

# S3 says Forbidden for these too, but no policy would change it.
CREDENTIALS: Final = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "RequestExpired",
        "ExpiredToken",
        "InvalidToken",
    }
)


class Action(StrEnum):
    """One action of IAM."""

    PUT_OBJECT = "s3:PutObject"
    GET_OBJECT = "s3:GetObject"
    DELETE_OBJECT = "s3:DeleteObject"
    ABORT_MULTIPART = "s3:AbortMultipartUpload"
    LIST_PARTS = "s3:ListMultipartUploadParts"
    LIST_MULTIPARTS = "s3:ListBucketMultipartUploads"
    LIST_BUCKET = "s3:ListBucket"
    LIST_VERSIONS = "s3:ListBucketVersions"
    DELETE_VERSION = "s3:DeleteObjectVersion"
    PUT_TAGGING = "s3:PutObjectTagging"
    GET_ATTRIBUTES = "s3:GetObjectAttributes"
    GET_CORS = "s3:GetBucketCORS"
    GET_LIFECYCLE = "s3:GetLifecycleConfiguration"
    GENERATE_DATA_KEY = "kms:GenerateDataKey"
    DECRYPT = "kms:Decrypt"


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What an action is needed for."""

    used: str  # what the service does with it
    lacking: str  # what the users see without it
    stops: bool  # uploads end badly, or never


NEEDS: Final[Mapping[Action, Need]] = {
    Action.PUT_OBJECT: Need(
        used="Uploads are opened, sent and completed with it.",
        lacking="No upload can begin.",
        stops=True,
    ),
    Action.GET_OBJECT: Need(
        used="Finished objects are proven, read by jobs and downloaded with it.",
        lacking="No upload can be proven, and nothing downloaded.",
        stops=True,
    ),
    Action.DELETE_OBJECT: Need(
        used="An object that turns out wrong is deleted with it.",
        lacking="An upload whose object turns out wrong stays ASSEMBLING for ever.",
        stops=True,
    ),
    Action.ABORT_MULTIPART: Need(
        used="What aborted and expired uploads left in S3 is removed with it.",
        lacking="Aborted and expired uploads never end, and their parts are paid for.",
        stops=True,
    ),
    Action.LIST_PARTS: Need(
        used="Completion compares what S3 holds with it.",
        lacking="No upload can be completed.",
        stops=True,
    ),
    Action.LIST_MULTIPARTS: Need(
        used="Parts that no upload knows of any more are found with it.",
        lacking="Parts that no upload knows of stay, and are paid for, until the abort rule.",
        stops=False,
    ),
    Action.LIST_BUCKET: Need(
        used="With it S3 says of an object that is missing that it is missing.",
        lacking="S3 does not say whether an object is there: a lost answer is never settled.",
        stops=True,
    ),
    Action.LIST_VERSIONS: Need(
        used="Erasing finds every version of an upload's objects with it.",
        lacking="Nothing can be erased: erasures are tried again for ever.",
        stops=False,
    ),
    Action.DELETE_VERSION: Need(
        used="Erasing removes objects for good with it.",
        lacking="Nothing can be erased: erasures report every version as refused.",
        stops=False,
    ),
    Action.PUT_TAGGING: Need(
        used="Retention rules that archive tag objects with it.",
        lacking="Nothing is archived; rules that delete work.",
        stops=False,
    ),
    Action.GET_ATTRIBUTES: Need(
        used="`coordinator doctor` looks at a finished object with it.",
        lacking="Nothing but a line of this table.",
        stops=False,
    ),
    Action.GET_CORS: Need(
        used="`coordinator doctor` reads the bucket's CORS rules with it.",
        lacking="Nothing; the lines on browsers are tried, not read.",
        stops=False,
    ),
    Action.GET_LIFECYCLE: Need(
        used="`coordinator doctor` reads the bucket's lifecycle rules with it.",
        lacking="It cannot be seen whether a rule removes parts of open uploads.",
        stops=False,
    ),
    Action.GENERATE_DATA_KEY: Need(
        used="Parts are encrypted with the bucket's KMS key.",
        lacking="No upload can begin in this encrypted bucket.",
        stops=True,
    ),
    Action.DECRYPT: Need(
        used="Completing and reading in this encrypted bucket.",
        lacking="No upload can be completed in this encrypted bucket.",
        stops=True,
    ),
}


def action_in(message: str, *, otherwise: Action) -> Action:
    """Return the action that S3's message names: one call may need several.

    >>> action_in("You are not authorized to perform: kms:Decrypt", otherwise=Action.GET_OBJECT)
    <Action.DECRYPT: 'kms:Decrypt'>
    """
    found = _NAMED.search(message)
    known = {action.value: action for action in Action}
    return known.get(found["action"], otherwise) if found else otherwise
