"""What a manifest says, and the root that follows from it.

Rule: a ``Manifest`` that exists is valid; whoever holds one need not check it again.
"""

import base64
import hashlib
from typing import Final

import msgspec

from manifests.errors import ManifestError

FORMAT: Final = "chunked-sha256"
VERSION: Final = 1
CHECKSUM_PREFIX: Final = "sha256-tree:"
DIGEST_BYTES: Final = 32

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: 10,000 parts of at most
# 5 GiB, which together are the 48.8 TiB that an object may have.
MAX_CHUNKS: Final = 10_000
MAX_CHUNK_BYTES: Final = 5 * 2**30
MAX_FILE_BYTES: Final = MAX_CHUNKS * MAX_CHUNK_BYTES
MAX_NAME_CHARACTERS: Final = 255

_EMPTY: Final = hashlib.sha256().digest()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its name, its sizes, and the sha256 of every chunk, packed in order.

    ``sha256`` is that of the whole file, or None while nobody has proven it. Where there is one
    chunk it is known, and is filled in.

    Raises:
        ManifestError: the values break a rule of the format or contradict each other.

    """

    file_name: str
    file_size: int
    chunk_size: int
    digests: bytes
    sha256: bytes | None = None

    def __post_init__(self) -> None:
        check_name(self.file_name)
        expected = chunk_count(self.file_size, self.chunk_size)
        if len(self.digests) != expected * DIGEST_BYTES:
            detail = f"A file of this size has {expected} chunk(s), each with one sha256."
            raise ManifestError("chunk-count-mismatch", detail, "/chunks")
        if self.file_size == 0 and self.digests != _EMPTY:
            detail = "The file is empty, and this is not the sha256 of nothing."
            raise ManifestError("digest-mismatch", detail, "/chunks/0")
        self._check_sha256(expected)

    def _check_sha256(self, expected: int) -> None:
        if self.sha256 is None and expected == 1:
            msgspec.structs.force_setattr(self, "sha256", self.digests)
        if self.sha256 is not None and len(self.sha256) != DIGEST_BYTES:
            raise ManifestError("bad-digest", "A sha256 has 32 bytes.", "/sha256")
        if expected == 1 and self.sha256 != self.digests:
            detail = "The only chunk is the file, but their digests differ."
            raise ManifestError("digest-mismatch", detail, "/sha256")

    @property
    def chunk_count(self) -> int:
        """How many chunks there are; an empty file has one."""
        return len(self.digests) // DIGEST_BYTES

    @property
    def root(self) -> str:
        """S3's composite checksum, computed anew at each call."""
        return root(self.digests)

    @property
    def checksum(self) -> str:
        """The form in which clients declare it: ``sha256-tree:<root>``."""
        return CHECKSUM_PREFIX + self.root

    def chunk_length(self, index: int) -> int:
        """Return the size of a chunk in bytes; all are ``chunk_size`` but the last."""
        self._check_index(index)
        return min(self.chunk_size, self.file_size - index * self.chunk_size)

    def digest_of(self, index: int) -> bytes:
        """Return the sha256 of a chunk."""
        self._check_index(index)
        return self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.chunk_count:
            raise IndexError(index)


def root(digests: bytes) -> str:
    """Compute S3's composite checksum from packed chunk digests.

    >>> root(hashlib.sha256(b"").digest())
    'Xfbg4nYTWdMKgnUFjimfzAOBU0VF9Vz0PkGYP11MlFY=-1'

    Raises:
        ManifestError: they are no whole digests, none, or too many.

    """
    count, rest = divmod(len(digests), DIGEST_BYTES)
    if rest or not 1 <= count <= MAX_CHUNKS:
        detail = f"Expected 1 to {MAX_CHUNKS} digests of {DIGEST_BYTES} bytes each."
        raise ManifestError("chunk-count-mismatch", detail, "/chunks")
    return f"{base64.b64encode(hashlib.sha256(digests).digest()).decode()}-{count}"


def chunk_count(file_size: int, chunk_size: int) -> int:
    """Return how many chunks a file has; an empty one has one.

    >>> chunk_count(0, 5), chunk_count(10, 5), chunk_count(11, 5)
    (1, 2, 3)

    Raises:
        ManifestError: a size is outside S3's limits, or there would be too many chunks.

    """
    if not 0 <= file_size <= MAX_FILE_BYTES:
        detail = f"A file has 0 to {MAX_FILE_BYTES} bytes."
        raise ManifestError("size-out-of-range", detail, "/fileSize")
    if not 1 <= chunk_size <= MAX_CHUNK_BYTES:
        detail = f"A chunk has 1 to {MAX_CHUNK_BYTES} bytes."
        raise ManifestError("size-out-of-range", detail, "/chunkSize")
    count = max(1, -(-file_size // chunk_size))
    if count > MAX_CHUNKS:
        detail = f"There would be {count} chunks, and {MAX_CHUNKS} is the most."
        raise ManifestError("too-many-chunks", detail, "/chunkSize")
    return count


def check_name(name: str) -> None:
    """Refuse what is no file's name.

    Line breaks and backslashes are allowed, because POSIX allows them; whoever takes names from
    strangers may be stricter.

    Raises:
        ManifestError: ``name`` could not be the name of a file in a folder.

    """
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        detail = f"A name has 1 to {MAX_NAME_CHARACTERS} characters."
    elif "/" in name or "\0" in name or name in {".", ".."}:
        detail = "A name is no path: without slash and NUL, and neither `.` nor `..`."
    elif any("\ud800" <= character <= "\udfff" for character in name):
        detail = "A name is Unicode text, without lone surrogates."
    else:
        return
    raise ManifestError("bad-file-name", detail, "/fileName")
