"""API keys: a slip of the pen costs no look-up, and the database alone holds no key."""

import re
import string
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.keys import ENTROPY_BYTES, _letters, hash_of, id_of, mint
from tests.domain.builders import patient

ENTROPY = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)
KEY = mint(bytes(range(ENTROPY_BYTES))).text


@patient
@given(ENTROPY)
def test_a_minted_key_names_its_id(entropy: bytes) -> None:
    """Any 40 bytes make a key of one form, that scanners can find."""
    key = mint(entropy)

    assert re.fullmatch(r"ck_[a-z2-7]{13}_[a-z2-7]{59}", key.text)
    assert id_of(key.text) == key.key_id
    assert key.text.startswith(f"{key.key_id}_")


@patient
@given(ENTROPY, st.integers(0, len(KEY) - 1), st.sampled_from(string.printable + "é"))
def test_a_key_with_one_letter_changed_is_none(entropy: bytes, place: int, letter: str) -> None:
    """The checksum finds every single slip."""
    text = mint(entropy).text

    changed = text[:place] + letter + text[place + 1 :]

    assert (id_of(changed) is None) == (changed != text)


@patient
@given(st.text(max_size=100) | st.text("ck_a2", max_size=100))
def test_garbage_is_no_key(text: str) -> None:
    """No text breaks the reading."""
    assert id_of(text) is None


@pytest.mark.parametrize("key_id", ["", "\0", "a" * 12, "A" * 13, "a" * 5_000, "a'--aaaaaaaaaa"])
def test_a_right_checksum_makes_no_key_of_another_form(key_id: str) -> None:
    """Anybody can work out a checksum, and the id goes into a query."""
    body = f"{key_id}_{'a' * 52}"
    text = f"ck_{body}{_letters(crc32(body.encode()).to_bytes(4, 'big'))}"

    assert id_of(text) is None


@patient
@given(ENTROPY, ENTROPY)
def test_the_hash_depends_on_the_whole_key_and_on_the_secret(one: bytes, other: bytes) -> None:
    """Who reads the database alone can neither guess nor compare."""
    first, second = mint(one).text, mint(other).text

    assert (hash_of(first, secret="s") == hash_of(second, secret="s")) == (one == other)
    assert hash_of(first, secret="s") != hash_of(first, secret="t")
    assert len(hash_of(first, secret="s")) == 32
