"""What holds for every manifest, and for every input that is none."""

import base64
import copy
import hashlib
import json
import pickle
import re
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

import manifests
from manifests import Manifest, ManifestError, TreeHasher

_NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=255
).filter(lambda name: name not in {".", ".."})


@st.composite
def _manifests(draw: st.DrawFn) -> Manifest:
    content = draw(st.binary(max_size=60))
    hasher = TreeHasher(draw(st.integers(1, 70)), whole=draw(st.booleans()))
    hasher.feed(content)
    return hasher.manifest(draw(_NAMES))


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=70)
    | st.sampled_from(["chunked-sha256", "0" * 64, hashlib.sha256().hexdigest()])
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)


def _outcome(data: bytes) -> str:
    """Return the digest or the code; any exception but ManifestError fails the test."""
    try:
        return manifests.digest(manifests.parse(data))
    except ManifestError as error:
        refusal = error
    assert refusal.detail
    assert re.fullmatch(r"(/[^/]*)*", refusal.pointer)
    return refusal.code


@given(st.integers(1, 10_000), st.binary(max_size=8))
@settings(deadline=None, max_examples=15)
def test_the_root_is_s3s_composite_of_any_number_of_chunks(count: int, seed: bytes) -> None:
    """S3 computes it from its parts; ours must be the same string (goal 4)."""
    digests = [hashlib.sha256(b"%d %b" % (number, seed)).digest() for number in range(count)]
    composite = hashlib.sha256()
    for digest in digests:
        composite.update(digest)

    text, _, number = manifests.root(b"".join(digests)).rpartition("-")

    assert (base64.b64decode(text, validate=True), int(number)) == (composite.digest(), count)


@pytest.mark.parametrize("length", [0, 31, 33, 32 * 10_001])
def test_a_root_of_no_whole_number_of_chunks_is_refused(length: int) -> None:
    """Ten thousand is the most that S3 takes."""
    with pytest.raises(ManifestError, match="chunk-count-mismatch"):
        manifests.root(bytes(length))


@given(_manifests())
@settings(deadline=None, max_examples=50)
def test_canonical_bytes_are_read_back_as_the_same_manifest(manifest: Manifest) -> None:
    """The stored copy beside the object must say what Postgres says."""
    event("one chunk" if manifest.chunk_count == 1 else "several chunks")
    data = manifests.canonical(manifest)

    assert manifests.parse(data) == manifest
    assert manifests.canonical(manifests.parse(data)) == data


@given(
    manifest=_manifests(),
    random=st.randoms(use_true_random=False),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
)
@settings(deadline=None, max_examples=30)
def test_the_digest_does_not_depend_on_how_the_json_was_written(
    *, manifest: Manifest, random: Any, ascii_only: bool, indent: int | None
) -> None:
    """Other writers may order, indent and escape as they like."""
    members = list(json.loads(manifests.canonical(manifest)).items())
    random.shuffle(members)
    data = json.dumps(dict(members), ensure_ascii=ascii_only, indent=indent).encode()

    assert _outcome(data) == manifests.digest(manifest)


@given(_manifests(), st.data())
@settings(deadline=None, max_examples=150)
def test_a_change_of_any_member_is_refused_or_changes_the_digest(
    manifest: Manifest, data: st.DataObject
) -> None:
    """Nothing in a manifest is outside what its digest vouches for."""
    original = json.loads(manifests.canonical(manifest))
    mutant = copy.deepcopy(original)
    member = data.draw(st.sampled_from(sorted(original)))
    nearby = {int: st.integers(0, 100), str: _NAMES, list: st.permutations(original["chunks"])}
    change = data.draw(st.sampled_from(["drop", "nearby", "anything", "add"]))
    if change == "drop":
        del mutant[member]
    elif change == "add":
        mutant[data.draw(st.text(max_size=9))] = data.draw(_SCALARS)
    else:
        mutant[member] = data.draw(nearby[type(mutant[member])] if change == "nearby" else _JSON)
    # Unlike ==, the text tells 1 from 1.0 and True.
    assume(json.dumps(mutant) != json.dumps(original))

    outcome = _outcome(json.dumps(mutant).encode())

    event(outcome if len(outcome) < 64 else "another digest")
    assert outcome != manifests.digest(manifest)


@given(st.binary(max_size=300) | st.text('[]{}":,\\0', max_size=60).map(str.encode))
@settings(deadline=None, max_examples=150)
def test_bytes_that_are_no_manifest_are_refused_and_nothing_else(data: bytes) -> None:
    """No input may turn into an error of the server (goal 30)."""
    with pytest.raises(ManifestError):
        manifests.parse(data)


@given(_JSON)
@settings(deadline=None, max_examples=60)
def test_json_that_is_no_manifest_is_refused_and_nothing_else(value: object) -> None:
    """Wrong types at every place; ``json`` writes NaN, Infinity and lone surrogates too."""
    with pytest.raises(ManifestError):
        manifests.parse(json.dumps(value).encode())


@given(_manifests(), st.integers(0), st.integers(0, 3), st.binary(max_size=3))
@settings(deadline=None, max_examples=150)
def test_damaged_bytes_are_refused_or_another_manifest(
    manifest: Manifest, at: int, cut: int, paste: bytes
) -> None:
    """Close to valid is where a parser breaks."""
    data = manifests.canonical(manifest)
    at %= len(data)

    outcome = _outcome(data[:at] + paste + data[at + cut :])

    event(outcome if len(outcome) < 64 else "a digest")


@pytest.mark.parametrize(
    "text", ["[" * 2**22, "[]" * 2**21, '"\\' * 2**21, "9" * 2**22, "1." + "1" * 2**22, "{" * 99]
)
def test_hostile_megabytes_are_refused(text: str) -> None:
    """Neither recursion, backtracking nor quadratic number parsing may stop a server."""
    with pytest.raises(ManifestError):
        manifests.parse(text[: 2**22].encode())


def test_a_manifest_cannot_be_built_from_values_that_contradict_each_other() -> None:
    """Whoever holds a Manifest need not check it again."""
    digest = hashlib.sha256(b"a").digest()
    with pytest.raises(ManifestError, match="chunk-count-mismatch"):
        Manifest(file_name="a", file_size=2, chunk_size=1, digests=digest)
    with pytest.raises(ManifestError, match="bad-digest"):
        Manifest(file_name="a", file_size=2, chunk_size=1, digests=digest * 2, sha256=b"short")
    with pytest.raises(ManifestError, match="digest-mismatch"):
        Manifest(file_name="a", file_size=1, chunk_size=1, digests=digest, sha256=bytes(32))


def test_the_sha256_of_a_file_of_one_chunk_is_filled_in() -> None:
    """It is known, so two manifests of the same file must not differ by it."""
    digest = hashlib.sha256(b"a").digest()

    manifest = Manifest(file_name="a", file_size=1, chunk_size=9, digests=digest)

    assert manifest.sha256 == digest
    assert manifests.parse(manifests.canonical(manifest)) == manifest


@pytest.mark.parametrize("index", [-1, 2])
def test_a_chunk_that_there_is_not_has_neither_length_nor_digest(index: int) -> None:
    """Python would quietly count -1 from the end."""
    manifest = Manifest(file_name="a", file_size=2, chunk_size=1, digests=bytes(64))

    with pytest.raises(IndexError):
        manifest.chunk_length(index)
    with pytest.raises(IndexError):
        manifest.digest_of(index)


def test_a_refusal_survives_pickling() -> None:
    """Jobs run in other processes."""
    with pytest.raises(ManifestError) as refusal:
        manifests.parse(b"")

    again = pickle.loads(pickle.dumps(refusal.value))

    assert (again.code, again.detail, again.pointer) == refusal.value.args
