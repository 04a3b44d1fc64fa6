"""What S3 holds, compared with what was signed: the last look before an object appears."""

import hashlib
import random
from typing import Any

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import manifests
from coordinator.domain.assembly import (
    AssemblyPart,
    Content,
    ListedPart,
    assemble,
    check_declared,
    check_manifest,
    content_of,
    held_chunks,
    needs_hashing,
)
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import ChecksumMismatchError, PartsMissingError
from coordinator.domain.plan import Plan
from tests.domain.builders import digests_of, listed_of, patient

PLAN = Plan(25, 10)
DIGESTS = digests_of(PLAN)
ALL = listed_of(PLAN)
OTHER = hashlib.sha256(b"other bytes").digest()
PLANS = st.builds(Plan, st.integers(0, 60), st.integers(1, 12))


def changed(index: int, **changes: Any) -> list[ListedPart]:
    """List all chunks, one of them otherwise than it should be."""
    return [
        msgspec.structs.replace(part, **changes) if part.number == index + 1 else part
        for part in ALL
    ]


@patient
@given(plan=PLANS, shows_digests=st.booleans(), order=st.randoms(use_true_random=False))
def test_all_parts_as_signed_are_named_in_order(
    *, plan: Plan, shows_digests: bool, order: random.Random
) -> None:
    """Whatever the order of the list, and where the server shows no digests ours are sent."""
    listed = listed_of(plan, shows_digests=shows_digests)
    order.shuffle(listed)

    parts = assemble(plan, digests_of(plan), listed)

    assert parts == tuple(
        AssemblyPart(index + 1, f"etag-{index}", digest)
        for index, digest in digests_of(plan).items()
    )
    assert held_chunks(plan, digests_of(plan), listed) == {
        index: f"etag-{index}" for index in range(plan.chunk_count)
    }


@patient
@given(PLANS, st.data())
def test_exactly_the_chunks_that_s3_lacks_or_nobody_signed_are_missing(
    plan: Plan, data: st.DataObject
) -> None:
    """The client is asked for these, complete and in order, and for no others."""
    indexes = st.sets(st.integers(0, plan.chunk_count - 1))
    lacking, unsigned = data.draw(indexes), data.draw(indexes)
    listed = [part for part in listed_of(plan) if part.number - 1 not in lacking]
    digests = {index: sum_ for index, sum_ in digests_of(plan).items() if index not in unsigned}

    missing = sorted(lacking | unsigned)
    event("something is missing" if missing else "all is there")
    if missing:
        with pytest.raises(PartsMissingError) as refusal:
            assemble(plan, digests, listed)
        assert refusal.value.facts == {"missing_chunks": missing}
    else:
        assert len(assemble(plan, digests, listed)) == plan.chunk_count
    assert sorted(held_chunks(plan, digests, listed)) == [
        index for index in range(plan.chunk_count) if index not in missing
    ]


@pytest.mark.parametrize(
    ("index", "changes"),
    [
        (0, {"size_bytes": 9}),
        (0, {"size_bytes": 11}),
        (1, {"size_bytes": 0}),
        (1, {"sha256": OTHER}),
        (2, {"size_bytes": 10}),
        (2, {"size_bytes": 6, "sha256": None}),
        (0, {"sha256": DIGESTS[1]}),
    ],
)
def test_a_part_of_another_size_or_digest_is_named_and_nothing_is_assembled(
    index: int, changes: dict[str, Any]
) -> None:
    """A server that does not enforce what the URL signed is found out here."""
    with pytest.raises(ChecksumMismatchError) as refusal:
        assemble(PLAN, DIGESTS, changed(index, **changes))

    assert refusal.value.facts == {"chunks": [index]}
    assert sorted(held_chunks(PLAN, DIGESTS, changed(index, **changes))) == sorted(
        {0, 1, 2} - {index}
    )


def test_missing_chunks_are_told_before_wrong_ones() -> None:
    """What is missing must be sent anyway."""
    with pytest.raises(PartsMissingError) as refusal:
        assemble(PLAN, DIGESTS, changed(0, sha256=OTHER)[:2])

    assert refusal.value.facts == {"missing_chunks": [2]}


def test_of_a_part_listed_twice_the_last_right_one_counts() -> None:
    """SeaweedFS lists a part that was sent twice twice; both hold the bytes that were signed."""
    again = ListedPart(2, "etag-again", 10, None)

    parts = assemble(PLAN, DIGESTS, [*ALL, again])

    assert [part.etag for part in parts] == ["etag-0", "etag-again", "etag-2"]
    assert held_chunks(PLAN, DIGESTS, [*ALL, again])[1] == "etag-again"


@pytest.mark.parametrize("wrong", [{"sha256": OTHER}, {"size_bytes": 9}], ids=["bytes", "size"])
@pytest.mark.parametrize("is_last", [True, False], ids=["last", "first"])
def test_of_a_part_listed_twice_a_wrong_one_is_passed_over(
    *, wrong: dict[str, Any], is_last: bool
) -> None:
    """The list is in no order of time, so the ETag of the right one is named wherever it stands."""
    other = msgspec.structs.replace(ALL[1], etag="etag-wrong", **wrong)
    listed = [*ALL, other] if is_last else [other, *ALL]

    assert [part.etag for part in assemble(PLAN, DIGESTS, listed)] == ["etag-0", "etag-1", "etag-2"]
    assert held_chunks(PLAN, DIGESTS, listed)[1] == "etag-1"


def test_a_part_listed_twice_and_both_times_wrong_is_wrong() -> None:
    """There is no ETag that could be named."""
    listed = [*changed(1, sha256=OTHER), ListedPart(2, "etag-again", 9, None)]

    with pytest.raises(ChecksumMismatchError) as refusal:
        assemble(PLAN, DIGESTS, listed)

    assert refusal.value.facts == {"chunks": [1]}


@pytest.mark.parametrize("number", [-1, 0, 4, 10_001])
def test_parts_beyond_the_plan_are_never_named(number: int) -> None:
    """Nobody got a URL for them; a stand-in may list anything."""
    listed = [*ALL, ListedPart(number, "etag", 10, None)]

    assert [part.number for part in assemble(PLAN, DIGESTS, listed)] == [1, 2, 3]
    assert sorted(held_chunks(PLAN, DIGESTS, listed)) == [0, 1, 2]


@pytest.mark.parametrize("sha256", [None, DIGESTS[1]], ids=["hidden", "shown"])
def test_a_part_that_was_never_signed_is_not_held(sha256: bytes | None) -> None:
    """Without a fixed digest there is nothing to compare it with."""
    assert held_chunks(PLAN, {0: DIGESTS[0]}, changed(1, sha256=sha256)) == {0: "etag-0"}


@patient
@given(PLANS)
def test_the_content_is_all_digests_in_order_and_its_root_is_the_manifests(plan: Plan) -> None:
    """The composite that S3 must show follows from what was signed alone."""
    digests = digests_of(plan)
    packed = b"".join(digests[index] for index in sorted(digests))

    content = content_of(plan, dict(reversed(digests.items())))

    assert content == Content(plan, packed)
    assert content.root == manifests.root(packed)
    assert content_of(plan, dict(list(digests.items())[1:])) is None


@pytest.mark.parametrize("size", [0, 5, 25])
def test_the_declared_tree_must_be_the_root(size: int) -> None:
    """It is proven without a second reading, for any number of chunks."""
    content = _content(size)
    elsewhere = manifests.root(OTHER)

    check_declared(content, Declared(root=content.root))
    check_declared(content, Declared())
    with pytest.raises(ChecksumMismatchError) as refusal:
        check_declared(content, Declared(root=elsewhere))
    assert refusal.value.facts == {"chunks": []}


@pytest.mark.parametrize("size", [0, 5, 10])
def test_the_sha256_of_a_file_of_one_chunk_is_the_chunks(size: int) -> None:
    """It needs no hashing by a worker."""
    content = _content(size)

    check_declared(content, Declared(sha256=content.digests))
    assert not needs_hashing(content.plan, Declared(sha256=content.digests))
    with pytest.raises(ChecksumMismatchError) as refusal:
        check_declared(content, Declared(sha256=OTHER))
    assert refusal.value.facts == {"chunks": [0]}


def test_the_sha256_of_a_longer_file_is_left_to_a_worker() -> None:
    """S3 has no such sum for a multipart: neither right nor wrong can be told here."""
    check_declared(_content(25), Declared(sha256=OTHER))

    assert needs_hashing(PLAN, Declared(sha256=OTHER))
    assert not needs_hashing(PLAN, Declared(root="root"))


def test_a_wrong_tree_is_found_although_the_sha256_waits_for_a_worker() -> None:
    """Nothing is assembled that is known to be wrong."""
    with pytest.raises(ChecksumMismatchError):
        check_declared(_content(25), Declared(OTHER, manifests.root(OTHER)))


@pytest.mark.parametrize(
    ("changes", "chunks"),
    [
        ({}, None),
        ({"file_name": "renamed.csv"}, None),
        ({"digests": DIGESTS[0] + OTHER + OTHER}, [1, 2]),
        ({"digests": DIGESTS[1] + DIGESTS[0] + DIGESTS[2]}, [0, 1]),
        ({"file_size": 24}, []),
        ({"chunk_size": 11}, []),
        ({"file_size": 5, "digests": DIGESTS[0]}, []),
    ],
)
def test_a_manifest_sent_along_must_say_what_was_signed(
    changes: dict[str, Any], chunks: list[int] | None
) -> None:
    """``None`` is agreement; the chunks that differ are named, where the cut is the same."""
    content = _content(25)
    same = manifests.Manifest(
        file_name="data.csv", file_size=25, chunk_size=10, digests=content.digests
    )
    manifest = msgspec.structs.replace(same, **changes)

    if chunks is None:
        check_manifest(content, manifest)
    else:
        with pytest.raises(ChecksumMismatchError) as refusal:
            check_manifest(content, manifest)
        assert refusal.value.facts == {"chunks": chunks}


def _content(size: int) -> Content:
    plan = Plan(size, 10)
    content = content_of(plan, digests_of(plan))
    assert content is not None
    return content
