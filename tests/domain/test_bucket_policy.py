"""The policies allow what the service does, under its prefix, and refuse the rest."""

import ast
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name
from moto.iam.policy_validation import IAMPolicyDocumentValidator

import coordinator
from coordinator.domain.bucket_policy import Place, bucket_policy, lifecycle, service_policy
from coordinator.domain.bucket_rules import AbortRule, first_abort
from coordinator.domain.permissions import NEEDS, Action
from tests.domain.iam import Asked, lets_through

_PLACE: Final = Place("data", "datasets")
_ROLE: Final = "arn:aws:iam::111122223333:role/coordinator"
_KMS_KEY: Final = "arn:aws:kms:eu-west-1:111122223333:key/0a"
_VPCE: Final = "vpce-0123456789abcdef0"
_KEY: Final = "datasets/default/upl_1/a.csv"
_HOUR_MS: Final = 3_600_000

# What an operation of S3 is called by IAM; of HeadBucket the service needs no more than a refusal.
_ACTIONS: Final[Mapping[str, Action | None]] = {
    "abort_multipart_upload": Action.ABORT_MULTIPART,
    "complete_multipart_upload": Action.PUT_OBJECT,
    "create_multipart_upload": Action.PUT_OBJECT,
    "delete_object": Action.DELETE_OBJECT,
    "get_bucket_cors": Action.GET_CORS,
    "get_bucket_lifecycle_configuration": Action.GET_LIFECYCLE,
    "get_object": Action.GET_OBJECT,
    "get_object_attributes": Action.GET_ATTRIBUTES,
    "head_bucket": None,
    "head_object": Action.GET_OBJECT,
    "list_objects": Action.LIST_BUCKET,
    "list_multipart_uploads": Action.LIST_MULTIPARTS,
    "list_objects_v2": Action.LIST_BUCKET,
    "list_object_versions": Action.LIST_VERSIONS,
    "list_parts": Action.LIST_PARTS,
    "put_object": Action.PUT_OBJECT,
    "put_object_tagging": Action.PUT_TAGGING,
    "upload_part": Action.PUT_OBJECT,
}
# Told apart by a parameter and not by the operation: DeleteObject with a VersionId.
_BY_PARAMETER: Final = {Action.DELETE_VERSION}

_SERVICE: Final = service_policy(_PLACE, kms_key=_KMS_KEY)
_BUCKET: Final = bucket_policy(
    _PLACE,
    oldest=timedelta(hours=1),
    principals=[_ROLE],
    account="111122223333",
    endpoints=[_VPCE],
)

_USUAL: Final = {
    "aws:SecureTransport": "true",
    "aws:PrincipalArn": _ROLE,
    "aws:PrincipalAccount": "111122223333",
    "aws:SourceVpce": _VPCE,
    "s3:authType": "REST-HEADER",
    "s3:signatureversion": "AWS4-HMAC-SHA256",
}
_BY_URL: Final = {
    **{name: value for name, value in _USUAL.items() if name != "aws:SourceVpce"},
    "s3:authType": "REST-QUERY-STRING",
    "s3:signatureAge": str(_HOUR_MS),
}


def _goes(action: str, resource: str, **context: str | None) -> bool:
    """Whether both policies together let the service's own request through, changed or not."""
    names = {name.replace("_", ":", 1): value for name, value in context.items()}
    changed = {**_USUAL, **names}
    present = {name: value for name, value in changed.items() if value is not None}
    return lets_through([_SERVICE, _BUCKET], Asked(action, resource, present))


def _called() -> Iterator[str]:
    """Name the operations of S3 that the service's code mentions."""
    model = botocore.session.Session().get_service_model("s3")
    known = {xform_name(name) for name in model.operation_names}
    root = Path(coordinator.__file__).parent
    for path in root.rglob("*.py"):
        if path.relative_to(root).parts[0] in {"embedded", "cli", "sdk"}:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node, "attr", getattr(node, "value", None))
            if isinstance(node, ast.Attribute | ast.Constant) and name in known:
                yield str(name)


def _on(action: Action, key: str = _KEY) -> tuple[str, dict[str, str]]:
    """Return what an action is done on, and the condition that S3 derives from the request."""
    if action in {Action.LIST_MULTIPARTS, Action.GET_CORS, Action.GET_LIFECYCLE}:
        return "arn:aws:s3:::data", {}
    if "ListBucket" in action:
        return "arn:aws:s3:::data", {"s3_prefix": key.rpartition("/")[0] + "/"}
    return f"arn:aws:s3:::data/{key}", {}


def test_every_call_of_the_code_is_known_here() -> None:
    """A call that is added must say which permission it needs, and NEEDS what for."""
    assert set(_called()) == set(_ACTIONS)
    assert {action for action in Action if action.startswith("s3:")} == {
        action for action in (*_ACTIONS.values(), *_BY_PARAMETER) if action is not None
    }


@pytest.mark.parametrize("action", [each for each in NEEDS if each.startswith("s3:")])
def test_each_needed_action_goes_through_under_the_prefix(action: Action) -> None:
    """Else something of the service fails on the day that the policy is applied."""
    resource, context = _on(action)

    assert _goes(action, resource, **context)


def test_a_missing_object_is_told_from_a_forbidden_one() -> None:
    """S3 says 404 to whoever may list the bucket with the key as prefix; else 403."""
    assert _goes(Action.LIST_BUCKET, "arn:aws:s3:::data", s3_prefix=_KEY)
    assert _goes(Action.LIST_BUCKET, "arn:aws:s3:::data", s3_prefix="datasets/")


@pytest.mark.parametrize("key", ["other/a.csv", "datasets2/a.csv", "a.csv", "xdatasets/a.csv"])
def test_nothing_goes_through_outside_of_the_prefix(key: str) -> None:
    """Another installation's, or another application's in the same bucket."""
    tried = {action: _on(action, key) for action in NEEDS if action.startswith("s3:")}
    let_in = {
        action for action, (where, context) in tried.items() if _goes(action, where, **context)
    }

    assert let_in == {Action.LIST_MULTIPARTS, Action.GET_CORS, Action.GET_LIFECYCLE}
    assert not _goes(Action.LIST_BUCKET, "arn:aws:s3:::data")
    assert not _goes(Action.GET_OBJECT, "arn:aws:s3:::other/datasets/a.csv")


@pytest.mark.parametrize(
    "action",
    [
        "PutObjectAcl",
        "DeleteBucket",
        "PutBucketPolicy",
        "PutLifecycleConfiguration",
        "PutBucketCORS",
    ],
)
def test_what_nobody_needs_is_not_allowed(action: str) -> None:
    """A stolen credential of the service does not change the bucket's rules."""
    places = ["arn:aws:s3:::data", f"arn:aws:s3:::data/{_KEY}"]

    assert [_goes(f"s3:{action}", where) for where in places] == [False, False]


def test_the_key_is_used_through_s3_only() -> None:
    """What the policy allows with the key must not open other things that it encrypts."""
    through = {"kms_ViaService": "s3.eu-west-1.amazonaws.com"}

    assert _goes(Action.DECRYPT, _KMS_KEY, **through)
    assert _goes(Action.GENERATE_DATA_KEY, _KMS_KEY, **through)
    assert not _goes(Action.DECRYPT, _KMS_KEY)
    assert not _goes(Action.DECRYPT, _KMS_KEY[:-1], **through)


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:GetObject"])
def test_a_clients_url_works_from_everywhere(action: str) -> None:
    """Browsers do not come through the service's VPC endpoint."""
    asked = Asked(action, f"arn:aws:s3:::data/{_KEY}", _BY_URL)

    assert lets_through([_SERVICE, _BUCKET], asked)


@pytest.mark.parametrize(
    ("base", "change", "action"),
    [
        (_USUAL, {"aws:SecureTransport": "false"}, "s3:GetObject"),
        (_BY_URL, {"aws:SecureTransport": "false"}, "s3:PutObject"),
        (_BY_URL, {"s3:signatureAge": str(_HOUR_MS + 1)}, "s3:PutObject"),
        (_USUAL, {"s3:signatureversion": "AWS"}, "s3:GetObject"),
        (_BY_URL, {"s3:signatureversion": "AWS"}, "s3:PutObject"),
        (_USUAL, {"s3:authType": "POST"}, "s3:PutObject"),
        (_BY_URL, {}, "s3:DeleteObject"),
        (_USUAL, {"aws:SourceVpce": "vpce-00000000"}, "s3:GetObject"),
        (_USUAL, {"aws:PrincipalArn": f"{_ROLE}-2"}, "s3:GetObject"),
        (_USUAL, {"aws:PrincipalAccount": "999999999999"}, "s3:GetObject"),
    ],
)
def test_the_bucket_refuses(base: dict[str, str], change: dict[str, str], action: str) -> None:
    """Each refusal stands by itself: all else is as it should be, and IAM allows everything."""
    everything: dict[str, Any] = {
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
    }
    asked = Asked(action, f"arn:aws:s3:::data/{_KEY}", base)
    right = asked._replace(action="s3:PutObject")

    assert lets_through([everything, _BUCKET], right)
    assert not lets_through([everything, _BUCKET], asked._replace(context={**base, **change}))


def test_the_bucket_refuses_whom_nobody_knows() -> None:
    """A request without any signature has none of the keys that the conditions name."""
    public: dict[str, Any] = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    policy = bucket_policy(_PLACE, oldest=timedelta(hours=1))
    asked = Asked("s3:GetObject", f"arn:aws:s3:::data/{_KEY}", {"aws:SecureTransport": "true"})

    assert not lets_through([public, policy], asked)


def test_they_are_policies_and_fit() -> None:
    """By moto's validator of IAM; AWS takes 6,144 characters for a role and 20 KB for a bucket."""
    service, bucket = (json.dumps(each, separators=(",", ":")) for each in (_SERVICE, _BUCKET))
    IAMPolicyDocumentValidator(service).validate()

    assert len(service) <= 6_144
    assert len(bucket) <= 20_480
    assert len({statement["Sid"] for statement in _BUCKET["Statement"]}) == 8


@pytest.mark.parametrize(("session_days", "abort_days"), [(1, 9), (7, 9), (7.5, 10), (30, 32)])
def test_no_rule_removes_parts_of_open_uploads(session_days: float, abort_days: int) -> None:
    """By the doctor's own reading of the rules."""
    session = timedelta(days=session_days)
    rules = lifecycle(_PLACE, session=session)["Rules"]
    found = [
        AbortRule(
            rule["Filter"]["Prefix"], rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        )
        for rule in rules
        if "AbortIncompleteMultipartUpload" in rule
    ]

    assert first_abort(found, "datasets/") == timedelta(days=abort_days) > session
