"""What to put on the bucket and on the credentials, as AWS reads it: policies, lifecycle, CORS.

Rule: what is allowed follows from :data:`coordinator.domain.permissions.NEEDS`; nothing is allowed
here that the service does not do. ``docs/SECURITY.md`` says what each refusal is against.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from coordinator.domain.permissions import Action

Document = dict[str, Any]

_VERSION: Final = "2012-10-17"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{3,255}")

_SHORTEST_ABORT: Final = timedelta(days=9)
_AFTER_SESSION: Final = timedelta(days=2)  # what an upload may take beyond its deadline
_NONCURRENT_DAYS: Final = 30
ARCHIVE_TAG: Final = ("coordinator-archive", "true")
_ARCHIVE_CLASS: Final = "GLACIER_IR"  # read at once, as downloads and jobs need it


class Place(msgspec.Struct, frozen=True):
    """The part of a bucket that is an installation's."""

    bucket: str
    prefix: str
    partition: str = "aws"  # aws-cn, aws-us-gov

    @property
    def whole(self) -> str:
        """The bucket's ARN."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def objects(self) -> str:
        """The ARN of everything under the prefix."""
        return f"{self.whole}/{self.prefix}/*"


def is_bucket_name(name: str) -> bool:
    """Whether it can stand in an ARN: an access point or a wildcard would mean something else.

    >>> is_bucket_name("datasets"), is_bucket_name("data*")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None


def service_policy(place: Place, *, kms_key: str | None = None) -> Document:
    """Allow service and worker what they do, and nothing beside their prefix.

    Listing multiparts cannot be limited to a prefix: AWS has no condition for it. HeadBucket is
    refused on purpose; the service asks it for the time only, and a refusal tells that as well.
    """
    actions = [action for action in Action if not action.startswith("kms:")]
    listing = [action for action in actions if _lists_prefix(action)]
    others = [action for action in actions if _is_of_bucket(action) and action not in listing]
    objects = [action for action in actions if not _is_of_bucket(action)]
    within = {"StringLike": {"s3:prefix": f"{place.prefix}/*"}}
    statements = [
        _statement("ObjectsUnderPrefix", "Allow", Action=_names(objects), Resource=place.objects),
        _statement(
            "ListUnderPrefix",
            "Allow",
            Action=_names(listing),
            Resource=place.whole,
            Condition=within,
        ),
        _statement("LookAtBucket", "Allow", Action=_names(others), Resource=place.whole),
    ]
    if kms_key is not None:
        keys = [action for action in Action if action.startswith("kms:")]
        through_s3 = {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}}
        statements.append(
            _statement(
                "KeyOfBucket", "Allow", Action=_names(keys), Resource=kms_key, Condition=through_s3
            )
        )
    return {"Version": _VERSION, "Statement": statements}


def _is_of_bucket(action: Action) -> bool:
    return "Bucket" in action or action is Action.GET_LIFECYCLE


def _lists_prefix(action: Action) -> bool:
    return action.startswith("s3:ListBucket") and action is not Action.LIST_MULTIPARTS


def bucket_policy(
    place: Place,
    *,
    oldest: timedelta,
    principals: Sequence[str] = (),
    account: str | None = None,
    endpoints: Sequence[str] = (),
) -> Document:
    """Refuse what nobody needs, whatever else is allowed to whom: it has no Allow.

    ``oldest``: of a signature in a URL; those in a header live 15 minutes at most. ``endpoints``:
    VPC endpoints that requests signed in a header come through; clients come from elsewhere.
    """
    everything = [place.whole, f"{place.whole}/*"]
    milliseconds = str(oldest // timedelta(milliseconds=1))
    statements = [
        _deny("TlsOnly", everything, {"Bool": {"aws:SecureTransport": "false"}}),
        _deny(
            "FreshUrls", place.objects, {"NumericGreaterThan": {"s3:signatureAge": milliseconds}}
        ),
        # The two refuse requests that nobody signed, too: a key that is missing is not equal.
        _deny(
            "SignatureV4Only",
            place.objects,
            {"StringNotEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}},
        ),
        _deny(
            "NoForms",
            place.objects,
            {"StringNotEquals": {"s3:authType": ["REST-HEADER", "REST-QUERY-STRING"]}},
        ),
        _statement(
            "UrlsPutAndGetOnly",
            "Deny",
            Principal="*",
            NotAction=[Action.PUT_OBJECT.value, Action.GET_OBJECT.value],
            Resource=place.objects,
            Condition={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}},
        ),
    ]
    if account is not None:
        statements.append(
            _deny(
                "OwnAccount",
                place.objects,
                {"StringNotEquals": {"aws:PrincipalAccount": account}},
            )
        )
    if principals:
        statements.append(
            _deny(
                "OwnPrincipals",
                place.objects,
                {"ArnNotEquals": {"aws:PrincipalArn": list(principals)}},
            )
        )
    if endpoints:
        statements.append(
            _deny(
                "OwnEndpoints",
                place.objects,
                {
                    "StringEquals": {"s3:authType": "REST-HEADER"},
                    "StringNotEquals": {"aws:SourceVpce": list(endpoints)},
                },
            )
        )
    return {"Version": _VERSION, "Statement": statements}


def lifecycle(place: Place, *, session: timedelta) -> Document:
    """Remove what is left behind, and move what is tagged to a cheaper class.

    Parts are removed only when no upload can be open any more: ``session`` is the longest.
    """
    days = -(-max(_SHORTEST_ABORT, session + _AFTER_SESSION) // timedelta(days=1))
    under = {"Prefix": f"{place.prefix}/"}
    key, value = ARCHIVE_TAG
    rules = [
        {
            "ID": f"{place.prefix}-abandoned-multiparts",
            "Status": "Enabled",
            "Filter": under,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
        },
        {
            "ID": f"{place.prefix}-archive",
            "Status": "Enabled",
            "Filter": {"And": {**under, "Tags": [{"Key": key, "Value": value}]}},
            "Transitions": [{"Days": 0, "StorageClass": _ARCHIVE_CLASS}],
        },
        {
            "ID": f"{place.prefix}-old-versions",
            "Status": "Enabled",
            "Filter": under,
            "NoncurrentVersionExpiration": {"NoncurrentDays": _NONCURRENT_DAYS},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    ]
    return {"Rules": rules}


def cors(prefix: str, origins: Sequence[str]) -> Document:
    """Let pages of ``origins`` send parts, fetch what they may, and read what S3 answers.

    What pages send is what the service signs, and a type where their browser adds one. The ID is
    the installation's: the next rule replaces this one and none of somebody else's.
    """
    rule = {
        "ID": f"{prefix}-pages",
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["PUT", "GET"],
        "AllowedHeaders": [
            *("content-type", "x-amz-checksum-sha256", "x-amz-sdk-checksum-algorithm"),
        ],
        "ExposeHeaders": ["ETag", "x-amz-checksum-sha256"],
        "MaxAgeSeconds": 3_600,
    }
    return {"CORSRules": [rule]}


def _names(actions: Sequence[Action]) -> list[str]:
    return sorted(action.value for action in actions)


def _deny(sid: str, resource: str | list[str], condition: Document) -> Document:
    return _statement(
        sid, "Deny", Principal="*", Action="s3:*", Resource=resource, Condition=condition
    )


def _statement(sid: str, effect: str, **parts: Any) -> Document:
    return {"Sid": sid, "Effect": effect, **parts}
