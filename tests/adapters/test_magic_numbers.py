"""What puremagic may say of bytes that we know nothing of."""

import pytest

from coordinator.adapters.magic_numbers import guess

_WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(20)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (_WEBP, "image/webp"),
        (b"fLaC\x00\x00\x00\x22" + bytes(30), "audio/flac"),
        (b"BM\xff\xfe", None),
        (b"\xff\xfb\x90\x00" + b"\x00\x01" * 11 + b"text" + bytes(9), None),
        (b"\xfe", None),
        (b"", None),
    ],
)
def test_only_a_long_number_at_the_very_beginning_counts(head: bytes, found: str | None) -> None:
    """Its list has numbers of two bytes, and words at odd places: they say nothing for sure."""
    assert guess(head) == found
