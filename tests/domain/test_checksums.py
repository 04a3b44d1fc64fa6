"""Declared checksums: two forms, one spelling each."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import manifests
from coordinator.domain.checksums import Declared, parse_declared, parse_digest
from coordinator.domain.errors import InvalidFieldError
from tests.domain.builders import patient

HEX = hashlib.sha256(b"").hexdigest()
ROOT = manifests.root(hashlib.sha256(b"").digest())
SUMS = st.binary(min_size=32, max_size=32)


@patient
@given(SUMS, st.integers(1, 10_000))
def test_both_forms_are_read_back_as_they_were_written(digest: bytes, chunks: int) -> None:
    """Any 32 bytes, any number of chunks that can be."""
    root = f"{base64.b64encode(digest).decode()}-{chunks}"

    assert parse_declared(f"sha256:{digest.hex()}") == Declared(sha256=digest)
    assert parse_declared(f"sha256-tree:{root}") == Declared(root=root)
    assert parse_digest(digest.hex(), field="sha256") == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        ROOT,
        "sha256:",
        f"sha256:{HEX[1:]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX}\n",
        f"sha256: {HEX}",
        f"SHA256:{HEX}",
        f"sha512:{HEX}",
        f"sha256:{HEX[1:]}٣",
        f"sha256-tree:{HEX}",
        "sha256-tree:",
        f"sha256-tree:{ROOT}0\n",
        f"sha256-tree:{ROOT[:-2]}",
        f"sha256-tree:{ROOT[:-1]}0",
        f"sha256-tree:{ROOT[:-1]}01",
        f"sha256-tree:{ROOT[:-1]}-1",
        f"sha256-tree:{ROOT[:-1]}100000",
        f"sha256-tree:{ROOT[1:]}",
        # Other spellings of the same bytes: the bits behind the last byte are not zero.
        f"sha256-tree:{ROOT[:42]}Z=-1",
        f"sha256-tree:{base64.urlsafe_b64encode(b'?' * 32).decode()}-1",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """A second spelling would make the same file look like another one."""
    with pytest.raises(InvalidFieldError) as refusal:
        parse_declared(text, field="checksum")

    assert refusal.value.facts == {"field": "checksum"}


@patient
@given(st.text(max_size=80) | st.text(max_size=80).map("sha256:".__add__))
def test_no_text_breaks_the_reading(text: str) -> None:
    """It is a digest or a refusal, never another exception."""
    try:
        declared = parse_declared(text)
    except InvalidFieldError:
        return
    assert declared.sha256 is not None
    assert text == f"sha256:{declared.sha256.hex()}"
