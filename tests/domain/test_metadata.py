"""Metadata: what is kept as it was sent, and what is refused by its place."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.errors import InvalidFieldError
from coordinator.domain.metadata import MAX_DEPTH, MAX_MEMBERS, check_metadata


def _nested(depth: int) -> dict[str, Any]:
    """Build an object with so many levels, itself counted."""
    inner: dict[str, Any] = {}
    for _ in range(depth - 1):
        inner = {"a": inner}
    return inner


def _field(metadata: dict[str, Any]) -> str:
    with pytest.raises(InvalidFieldError) as refusal:
        check_metadata(metadata)
    field = refusal.value.facts["field"]
    assert isinstance(field, str)
    return field


@given(
    st.dictionaries(
        st.text("aä数\n ", min_size=1, max_size=4),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, width=16).filter(math.isfinite)
        | st.lists(st.text("a\t\n\u200d👩🏽", max_size=5), max_size=5),
        max_size=20,
    )
)
def test_what_json_says_is_kept_as_it_is(metadata: dict[str, Any]) -> None:
    """Other scripts, joined emoji, line ends, numbers of any size."""
    assert check_metadata(metadata) is metadata


def test_depth_and_number_have_bounds() -> None:
    """The last that is fine, and the first that is not."""
    assert check_metadata(_nested(MAX_DEPTH)) == _nested(MAX_DEPTH)
    assert check_metadata({"a": [0] * (MAX_MEMBERS - 1)})
    assert check_metadata({"n" * 128: 1})

    assert _field(_nested(MAX_DEPTH + 1)) == "metadata" + ".a" * MAX_DEPTH
    assert _field({"a": [0] * MAX_MEMBERS}) == "metadata"
    assert _field({"a": {"n" * 129: 1}}) == "metadata.a"
    assert _field({"": 1}) == "metadata"


@pytest.mark.parametrize(
    "sign",
    ["\x00", "\x1b", "\r", "\x7f", "\x85", "\ud800", "\u2028", "\u202e", "\u2066"],
    ids=ascii,
)
def test_text_that_could_forge_a_line_or_read_as_another_is_refused(sign: str) -> None:
    """Wherever it stands; names of members are not repeated."""
    assert _field({"a": {"b": [0, 1, 2, f"x{sign}y"]}}) == "metadata.a.b[3]"
    assert _field({"a": {f"x{sign}": 1}}) == "metadata.a"


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_is_a_number(number: float) -> None:
    """JSON has no others, and Postgres takes none."""
    assert _field({"a": [number]}) == "metadata.a[0]"
