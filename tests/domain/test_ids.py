"""Public ids: one spelling each, and nothing else is one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain import ids
from tests.domain.builders import patient

NUMBERS = st.integers(0, 2**128 - 1)


@patient
@given(st.uuids())
def test_an_id_is_read_back(value: UUID) -> None:
    """Encoding loses nothing."""
    text = ids.encode(ids.UPLOAD, value)

    assert len(text) == len("upl_") + 26
    assert ids.decode(ids.UPLOAD, text) == value
    assert ids.decode(ids.JOB, text) is None


@patient
@given(NUMBERS, NUMBERS)
def test_ids_sort_as_their_numbers_do(one: int, other: int) -> None:
    """UUIDv7 begins with the time, so lists of ids are in order of time."""
    spelled = ids.encode("", UUID(int=one)), ids.encode("", UUID(int=other))

    assert (spelled[0] < spelled[1]) == (one < other)


@patient
@given(
    st.text(max_size=40)
    | st.text(ids._ALPHABET + "ilouILOU-", min_size=26, max_size=26).map(ids.UPLOAD.__add__)
)
def test_what_decodes_is_spelled_the_one_way(text: str) -> None:
    """An id in a log can be searched as text; garbage is no id and no error."""
    value = ids.decode(ids.UPLOAD, text)

    assert value is None or ids.encode(ids.UPLOAD, value) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "upl_",
        "upl_0000000000000000000000000",
        "upl_000000000000000000000000000",
        "upl_80000000000000000000000000",  # 2 ** 128
        "upl_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        "upl_0000000000000000000000000A",
        "upl_0000000000000000000000000i",
        "upl_0000000000000000000000000 ",
        "upl_0000000000000000000000000\n",
        "upl_0000000000000000000000000\0",
        "upl_0000000000000000000000000٣",
        "UPL_00000000000000000000000000",
        "job_00000000000000000000000000",
        "00000000000000000000000000",
        "upl_upl_00000000000000000000000000",
        "00000000-0000-0000-0000-000000000021",
    ],
)
def test_near_misses_are_no_ids(text: str) -> None:
    """Lengths, cases and letters that look alike are not forgiven."""
    assert ids.decode(ids.UPLOAD, text) is None
