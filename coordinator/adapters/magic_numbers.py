"""What puremagic's list of magic numbers says. It is asked about bytes, never about a file."""

from typing import Final

import puremagic

# A shorter number stands in any file now and then: what begins with BM would be an image.
_LEAST_BYTES: Final = 4


def guess(head: bytes) -> str | None:
    """Return the media type of a file's first bytes; ``None`` where no number is long enough.

    Only those at the very beginning count: further on, words of any text are some format's number.
    """
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return None
    sure = [
        each
        for each in found
        if each.mime_type
        and len(each.byte_match) >= _LEAST_BYTES
        and head.startswith(each.byte_match)
    ]
    # It returns those of one confidence in no order that would be the same in another process.
    best = min(sure, key=lambda each: (-each.confidence, each.mime_type), default=None)
    return None if best is None else best.mime_type.lower()
