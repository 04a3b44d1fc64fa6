"""Cursors: what we gave out comes back, everything else is a refusal."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain import cursors
from coordinator.domain.errors import InvalidFieldError
from tests.domain.builders import START, patient

TIMES = st.datetimes(START.replace(year=1970, tzinfo=None), timezones=st.just(UTC))


@patient
@given(TIMES, st.uuids())
def test_a_cursor_is_read_back_to_the_microsecond(created_at: datetime, row_id: UUID) -> None:
    """A page begins exactly where the last one ended."""
    text = cursors.encode(created_at, row_id)

    assert cursors.decode(text) == (created_at, row_id)
    assert text.isascii()
    assert not set(text) & set("+/=&#?%")


@patient
@given(
    st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode())
)
def test_no_text_breaks_the_reading(text: str) -> None:
    """It is a place in the list or a refusal, never another exception."""
    try:
        created_at, row_id = cursors.decode(text)
    except InvalidFieldError:
        return
    assert cursors.decode(cursors.encode(created_at, row_id)) == (created_at, row_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A" * 31,
        "A" * 33,
        "A" * 36,
        "A" * 32 + "=",
        "A" * 31 + "=",
        "A" * 30 + "==",
        "A" * 32 + "\n",
        "_" * 32,  # the year 584942
        "ä" * 32,
        "\0" * 32,
    ],
)
def test_what_we_never_gave_out_is_refused(text: str) -> None:
    """Too short, too long, no base64, no time."""
    with pytest.raises(InvalidFieldError) as refusal:
        cursors.decode(text)

    assert refusal.value.facts == {"field": "cursor"}
