"""What follows from what a bucket does not enforce."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.bucket_rules import AbortRule, CorsAnswer, first_abort, lacks
from coordinator.domain.capabilities import (
    DECISIVE,
    ESSENTIAL,
    EVERYTHING,
    MEANINGS,
    Capabilities,
    Check,
    named,
)
from coordinator.domain.permissions import NEEDS, Action, action_in

some_checks = st.frozensets(st.sampled_from(Check))
_PAGE = "https://page.example"


def test_every_check_says_what_it_means_and_what_to_do() -> None:
    """Every action too; a sentence each, so that a table can be read."""
    assert (set(MEANINGS), set(NEEDS)) == (set(Check), set(Action))
    sentences = [
        text
        for meaning in MEANINGS.values()
        for text in (meaning.enforced, meaning.lacking, meaning.instead, meaning.do)
    ]
    sentences += [text for need in NEEDS.values() for text in (need.used, need.lacking)]
    assert [text for text in sentences if not text.endswith(".")] == []


@given(some_checks, some_checks)
def test_only_what_is_essential_and_not_accepted_keeps_the_service_from_starting(
    lacking: frozenset[Check], accepted: frozenset[Check]
) -> None:
    """To accept what can be made up for changes nothing."""
    fatal = Capabilities(lacking).fatal(accepted)

    assert fatal == sorted(lacking & ESSENTIAL - accepted)


@pytest.mark.parametrize(
    "check", [Check.WRONG_BYTES, Check.PART_DIGEST_AT_COMPLETE, Check.COMPOSITE_CHECKSUM]
)
def test_where_s3_may_repeat_what_it_was_told_objects_are_read(check: Check) -> None:
    """A checksum that nobody computed from the bytes proves nothing."""
    assert Capabilities(frozenset({check})).needs_reading
    assert check in DECISIVE, "start-up must know"


def test_a_bucket_that_lacks_nothing_needs_nothing() -> None:
    """The usual case on AWS."""
    assert not EVERYTHING.needs_reading
    assert EVERYTHING.fatal(frozenset()) == []
    assert not Capabilities(frozenset(Check) - DECISIVE).needs_reading


@given(some_checks)
def test_names_are_read_as_they_are_written(checks: frozenset[Check]) -> None:
    """Whatever an operator copies from the message that refuses."""
    assert named(", ".join(checks)) == checks


@pytest.mark.parametrize(
    ("text", "hint"),
    [("tampered_url", "Did you mean tampered-url?"), ("xyz", "There are attributes, composite-at")],
)
def test_an_unknown_name_is_refused_with_the_nearest_or_with_all(text: str, hint: str) -> None:
    """A weakness that was meant must not stay unaccepted, silently."""
    with pytest.raises(ValueError, match=rf"^{text} is no check of S3\. ") as refusal:
        named(f"expired-url,{text}")

    assert hint in str(refusal.value)


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("User: arn:x is not authorized to perform: kms:GenerateDataKey on resource: y", "KMS"),
        ("User: arn:x is not authorized to perform: s3:PutObject on resource: y", "PUT"),
        ("Access Denied", "PUT"),
        ("User: arn:x is not authorized to perform: s3:PutObjectAcl on resource: y", "PUT"),
    ],
)
def test_the_action_that_s3_names_is_the_one_that_is_missing(message: str, action: str) -> None:
    """Opening an upload in an encrypted bucket needs two; S3 says which."""
    wanted = {"KMS": Action.GENERATE_DATA_KEY, "PUT": Action.PUT_OBJECT}[action]

    assert action_in(message, otherwise=Action.PUT_OBJECT) is wanted


_RIGHT = CorsAnswer(
    is_allowed=True,
    origin=_PAGE,
    methods=frozenset({"put", "get"}),
    headers=frozenset({"x-amz-checksum-sha256", "x-amz-sdk-checksum-algorithm"}),
    is_readable=True,
    exposed=frozenset({"etag", "x-amz-checksum-sha256"}),
    wanted=frozenset({"x-amz-checksum-sha256", "x-amz-sdk-checksum-algorithm"}),
)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, []),
        ({"origin": "*", "methods": frozenset("*"), "headers": frozenset("*")}, []),
        ({"is_allowed": False}, ["AllowedOrigins"]),
        ({"origin": "https://other.example"}, ["AllowedOrigins"]),
        ({"methods": frozenset({"get"})}, ["AllowedMethods: PUT"]),
        (
            {"headers": frozenset({"x-amz-checksum-sha256"}), "exposed": frozenset({"etag"})},
            [
                "AllowedHeaders: x-amz-sdk-checksum-algorithm",
                "ExposeHeaders: x-amz-checksum-sha256",
            ],
        ),
        ({"is_readable": False}, ["AllowedOrigins of the answer to PUT"]),
    ],
)
def test_what_a_page_lacks_is_named_as_the_bucket_names_it(
    changes: dict[str, object], missing: list[str]
) -> None:
    """The operator has to write it into the bucket's CORS rules."""
    members = {name: getattr(_RIGHT, name) for name in _RIGHT.__struct_fields__}

    assert lacks(CorsAnswer(**{**members, **changes}), _PAGE) == missing


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ([], None),
        ([AbortRule("", 9), AbortRule("", 3)], 3),
        ([AbortRule("other/", 1)], None),
        ([AbortRule("data", 2)], 2),
        ([AbortRule("datasets/tenant/", 5)], 5),
    ],
)
def test_the_first_rule_that_touches_our_prefix_counts(
    rules: list[AbortRule], days: int | None
) -> None:
    """One that holds for a part of it only removes chunks all the same."""
    found = first_abort(rules, "datasets/")

    assert (None if found is None else found.days) == days
