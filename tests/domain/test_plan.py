"""Plans: whatever the size, S3 takes the parts, and they make up the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.errors import ChunkSizeError, FileTooLargeError
from coordinator.domain.plan import (
    DEFAULT_CHUNK_BYTES,
    GIB,
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    MAX_FILE_BYTES,
    MIB,
    S3_MIN_CHUNK_BYTES,
    Plan,
    plan,
)
from tests.domain.builders import patient

# Any size, and those around which the chunk size grows by one MiB.
SIZES = st.integers(0, MAX_FILE_BYTES) | st.builds(
    lambda mebibytes, off: min(MAX_FILE_BYTES, max(0, mebibytes * MAX_CHUNKS * MIB + off)),
    st.integers(0, 5 * 1024),
    st.integers(-2, 2),
)


@patient
@given(SIZES)
def test_the_server_chooses_the_smallest_whole_mebibytes_that_suffice(size: int) -> None:
    """8 MiB for most files; never more than 10,000 chunks, never parts that S3 refuses."""
    chosen = plan(size, wished=None)

    assert chosen.chunk_count <= MAX_CHUNKS
    assert chosen.chunk_bytes % MIB == 0
    assert DEFAULT_CHUNK_BYTES <= chosen.chunk_bytes <= MAX_CHUNK_BYTES
    smaller = chosen.chunk_bytes - MIB
    assert smaller < DEFAULT_CHUNK_BYTES or Plan(size, smaller).chunk_count > MAX_CHUNKS


@settings(deadline=None, max_examples=40)
@given(SIZES)
def test_the_chunks_make_up_the_file(size: int) -> None:
    """No byte is left out or sent twice, and only the last chunk may be shorter."""
    chosen = plan(size, wished=None)

    lengths = [chosen.length_of(index) for index in range(chosen.chunk_count)]

    assert sum(lengths) == size
    assert set(lengths[:-1]) <= {chosen.chunk_bytes}
    assert 0 < lengths[-1] <= chosen.chunk_bytes or (size == 0 and lengths == [0])


@patient
@given(SIZES, st.integers(S3_MIN_CHUNK_BYTES, MAX_CHUNK_BYTES))
def test_a_wished_size_is_taken_as_it_is_or_refused_with_the_smallest_that_works(
    size: int, wished: int
) -> None:
    """The refusal's number can be sent back as it stands."""
    try:
        chosen = plan(size, wished=wished)
    except ChunkSizeError as refusal:
        smallest = refusal.facts["min_chunk_size"]
        assert isinstance(smallest, int)
        assert wished < smallest
        assert plan(size, wished=smallest).chunk_count <= MAX_CHUNKS
        assert Plan(size, smallest - 1).chunk_count > MAX_CHUNKS
    else:
        assert chosen == Plan(size, wished)
        assert chosen.chunk_count <= MAX_CHUNKS


@pytest.mark.parametrize(
    ("size", "chunk_bytes", "count", "last"),
    [
        (0, 8 * MIB, 1, 0),
        (1, 8 * MIB, 1, 1),
        (8 * MIB, 8 * MIB, 1, 8 * MIB),
        (8 * MIB + 1, 8 * MIB, 2, 1),
        (80_000 * MIB, 8 * MIB, 10_000, 8 * MIB),
        (80_000 * MIB + 1, 9 * MIB, 8_889, 8 * MIB + 1),
        (MAX_FILE_BYTES, 5 * GIB, 10_000, 5 * GIB),
    ],
)
def test_sizes_at_the_edges_have_the_plan_that_was_worked_out_by_hand(
    size: int, chunk_bytes: int, count: int, last: int
) -> None:
    """Empty, one byte, exactly full, one more, and the largest that S3 holds."""
    chosen = plan(size, wished=None)

    assert (chosen.chunk_bytes, chosen.chunk_count) == (chunk_bytes, count)
    assert chosen.length_of(count - 1) == last


@pytest.mark.parametrize(
    ("size", "wished", "facts"),
    [
        (100, S3_MIN_CHUNK_BYTES - 1, {"min_chunk_size": S3_MIN_CHUNK_BYTES}),
        (100, 0, {"min_chunk_size": S3_MIN_CHUNK_BYTES}),
        (100, -1, {"min_chunk_size": S3_MIN_CHUNK_BYTES}),
        (100, MAX_CHUNK_BYTES + 1, {"max_chunk_size": MAX_CHUNK_BYTES}),
        (10_000 * 6 * MIB + 1, 6 * MIB, {"min_chunk_size": 6 * MIB + 1}),
    ],
)
def test_a_wish_outside_of_the_limits_is_refused_with_the_limit(
    size: int, wished: int, facts: dict[str, int]
) -> None:
    """A client can correct itself from the answer alone."""
    with pytest.raises(ChunkSizeError) as refusal:
        plan(size, wished=wished)

    assert refusal.value.facts == {"field": "chunkSize", **facts}


@pytest.mark.parametrize("wished", [None, MAX_CHUNK_BYTES])
def test_a_file_larger_than_an_object_is_refused(wished: int | None) -> None:
    """48.8 TiB is S3's limit, whatever the chunks."""
    with pytest.raises(FileTooLargeError) as refusal:
        plan(MAX_FILE_BYTES + 1, wished=wished)

    assert refusal.value.facts == {"field": "fileSize", "max_file_size": MAX_FILE_BYTES}


def test_an_operator_may_allow_smaller_chunks() -> None:
    """Tests with thousands of tiny chunks need that."""
    assert plan(10_000, wished=1, smallest=1) == Plan(10_000, 1)
