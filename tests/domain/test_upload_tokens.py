"""Upload tokens as text: one spelling each, and none but ours."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.upload_tokens import (
    MAX_CHARACTERS,
    PREFIX,
    UploadToken,
    expiry,
    mint,
    read,
)

SECRET: Final = "a secret of the tests, long enough for all"

names = st.text(max_size=50)
tokens = st.builds(
    UploadToken,
    upload_id=st.uuids(),
    expires=st.integers(0, 2**40),
    tenant=names,
    user_id=names,
    maker=names,
)

TOKEN: Final = UploadToken(
    upload_id=UUID(int=7), expires=1_800_000_000, tenant="acme", user_id="alice", maker="ck_x"
)


@given(tokens)
def test_a_token_says_what_it_was_made_of(token: UploadToken) -> None:
    """And it fits into a header."""
    text = mint(token, secret=SECRET)

    assert read(text, secret=SECRET) == token
    assert text.startswith(PREFIX)
    assert len(text) <= MAX_CHARACTERS


def test_the_longest_names_still_fit() -> None:
    """A token that is too long to be read must not be made."""
    longest = UploadToken(
        upload_id=UUID(int=7), expires=1, tenant="t" * 200, user_id="u" * 200, maker="m" * 200
    )

    text = mint(longest, secret=SECRET)

    assert len(text) <= MAX_CHARACTERS
    assert read(text, secret=SECRET) == longest


@given(tokens, st.data())
def test_any_changed_character_is_refused(token: UploadToken, data: st.DataObject) -> None:
    """Each token has one spelling, so that not even a bit that carries nothing may differ."""
    text = mint(token, secret=SECRET)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda letter: letter != text[at]))

    assert read(text[:at] + other + text[at + 1 :], secret=SECRET) is None


@given(tokens, st.data())
def test_what_is_cut_off_or_put_on_is_refused(token: UploadToken, data: st.DataObject) -> None:
    """Padding, blanks and a second half, too."""
    text = mint(token, secret=SECRET)
    cut = data.draw(st.integers(0, len(text) - 1))
    more = data.draw(st.sampled_from(["=", "==", " ", "\n", "A", "~", "~A"]))

    assert read(text[:cut], secret=SECRET) is None
    assert read(text + more, secret=SECRET) is None
    assert read(more + text, secret=SECRET) is None


@given(st.text() | st.text().map(lambda text: PREFIX + text + "~" + text))
def test_other_text_is_no_token(text: str) -> None:
    """Whatever a caller sends is refused and breaks nothing."""
    assert read(text, secret=SECRET) is None


def test_another_secret_makes_no_token() -> None:
    """Nobody makes a token who has not the installation's secret."""
    assert read(mint(TOKEN, secret="another" * 6), secret=SECRET) is None


def test_a_token_never_outlives_its_upload() -> None:
    """Its lifetime is what the setting says, cut at the upload's deadline."""
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    whole = expiry(now=now, lifetime_seconds=600, deadline=now + timedelta(days=1))
    cut = expiry(
        now=now, lifetime_seconds=600, deadline=now + timedelta(seconds=30, microseconds=9)
    )

    assert (whole - now.timestamp(), cut - now.timestamp()) == (600, 30)
