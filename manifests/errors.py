"""The one refusal of this package. Codes are listed in ``FORMAT.md`` and never renamed."""

from typing import Literal

Code = Literal[
    "bad-digest",
    "bad-file-name",
    "chunk-count-mismatch",
    "digest-mismatch",
    "duplicate-key",
    "malformed-json",
    "missing-field",
    "not-utf8",
    "root-mismatch",
    "size-out-of-range",
    "too-deep",
    "too-large",
    "too-many-chunks",
    "unknown-field",
    "unknown-format",
    "unknown-version",
    "wrong-type",
]


class ManifestError(Exception):
    """A manifest, or what one would be made of, breaks a rule of the format.

    ``detail`` quotes nothing of the input and is safe to show. ``pointer`` is an RFC 6901
    JSON pointer to the field in the manifest's JSON, ``""`` for the whole of it.
    """

    def __init__(self, code: Code, detail: str, pointer: str) -> None:
        # All three go to the base class, so that the error survives pickling to another process.
        super().__init__(code, detail, pointer)
        self.code: Code = code
        self.detail = detail
        self.pointer = pointer
