"""Hashing and checking of streams."""

import hashlib
from itertools import pairwise

from hypothesis import event, given, settings
from hypothesis import strategies as st

from manifests import FileCheck, TreeHasher, Verdict, chunk_count

_CONTENTS = st.binary(max_size=60)
_CHUNK_SIZES = st.integers(1, 70)


def _split(content: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


@given(_CONTENTS, _CHUNK_SIZES, st.lists(st.integers(0), max_size=9))
@settings(deadline=None, max_examples=60)
def test_the_manifest_does_not_depend_on_how_the_bytes_arrive(
    content: bytes, chunk_size: int, cuts: list[int]
) -> None:
    """Readers return what they like; the digests are those of the slices."""
    hasher = TreeHasher(chunk_size)
    for piece in _split(content, cuts):
        hasher.feed(piece)

    manifest = hasher.manifest("a")

    starts = range(0, max(1, len(content)), chunk_size)
    slices = [content[start : start + chunk_size] for start in starts]
    assert len(slices) == chunk_count(len(content), chunk_size)
    assert manifest.digests == b"".join(hashlib.sha256(piece).digest() for piece in slices)
    assert manifest.sha256 == hashlib.sha256(content).digest()
    assert manifest.file_size == hasher.bytes_seen == len(content)


@given(
    content=_CONTENTS,
    chunk_size=_CHUNK_SIZES,
    whole=st.booleans(),
    noise=_CONTENTS,
    cuts=st.lists(st.integers(0), max_size=9),
)
@settings(deadline=None, max_examples=80)
def test_exactly_the_wrong_chunks_are_found_however_the_bytes_arrive(
    *, content: bytes, chunk_size: int, whole: bool, noise: bytes, cuts: list[int]
) -> None:
    """A chunk named without need is sent again; one not named is a corrupt copy."""
    hasher = TreeHasher(chunk_size, whole=whole)
    hasher.feed(content)
    manifest = hasher.manifest("a")
    start = cuts[0] % (len(content) + 1) if cuts else 0
    copy = content[:start] + noise + content[start + len(noise) // 2 * 2 :]

    check = FileCheck(manifest)
    for piece in _split(copy, cuts):
        check.feed(piece)

    wrong = tuple(
        index
        for index in range(manifest.chunk_count)
        if copy[: len(content)][index * chunk_size :][:chunk_size]
        != content[index * chunk_size :][:chunk_size]
    )
    event(f"wrong: {bool(wrong)}, longer: {len(copy) > len(content)}")
    assert check.bytes_seen == len(copy)
    assert check.verdict() == Verdict(
        wrong_chunks=wrong,
        size_difference=len(copy) - len(content),
        sha256_matches=copy == content if manifest.sha256 else None,
    )
    assert check.verdict().is_match == (copy == content)


def test_asking_for_the_verdict_early_does_not_disturb_the_check() -> None:
    """A progress page may ask at any time."""
    hasher = TreeHasher(4)
    hasher.feed(b"hello world")
    check = FileCheck(hasher.manifest("a"))

    check.feed(b"hello w")
    early = check.verdict()
    check.feed(b"orld")

    assert early == Verdict(wrong_chunks=(1, 2), size_difference=-4, sha256_matches=False)
    assert check.verdict() == Verdict(wrong_chunks=(), size_difference=0, sha256_matches=True)


def test_buffers_of_any_kind_are_hashed_by_their_bytes() -> None:
    """Readers reuse a bytearray or hand out views of it."""
    hasher = TreeHasher(4)

    hasher.feed(bytearray(b"hello"))
    hasher.feed(memoryview(b"x world")[1:])

    assert hasher.sha256 == hashlib.sha256(b"hello world").digest()


def test_an_endless_stream_is_counted_and_not_kept() -> None:
    """With chunks of one byte each byte beyond the end would cost 32."""
    hasher = TreeHasher(1)
    hasher.feed(b"ab")
    check = FileCheck(hasher.manifest("a"))

    for _ in range(3):
        check.feed(b"a" * 1_000_000)

    assert len(check._hasher.digests) == 64
    assert check.verdict().size_difference == 2_999_998
