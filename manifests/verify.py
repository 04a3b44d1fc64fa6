"""Streaming hashing and verification, sans I/O: feed bytes as they come, in pieces of any size.

Memory stays at 32 bytes a chunk, whatever the size of the file.
"""

import hashlib

import msgspec

from manifests.model import DIGEST_BYTES, Manifest

Bytes = bytes | bytearray | memoryview


class TreeHasher:
    """The running digests of a file's chunks, and of the whole file unless ``whole`` is off.

    Reading a property changes nothing: each tells what it would be if the file ended here.
    """

    def __init__(self, chunk_size: int, *, whole: bool = True) -> None:
        assert chunk_size > 0, "A chunk has at least one byte."
        self._chunk_size = chunk_size
        self._whole = hashlib.sha256() if whole else None
        self._full = bytearray()  # digests of the chunks that are complete
        self._chunk = hashlib.sha256()
        self._room = chunk_size  # bytes that the current chunk still takes
        self._seen = 0

    def feed(self, data: Bytes) -> None:
        """Take the next bytes of the file."""
        view = memoryview(data).cast("B")
        self._seen += len(view)
        if self._whole is not None:
            self._whole.update(view)
        while view:
            piece, view = view[: self._room], view[self._room :]
            self._chunk.update(piece)
            self._room -= len(piece)
            if self._room == 0:
                self._full += self._chunk.digest()
                self._chunk = hashlib.sha256()
                self._room = self._chunk_size

    @property
    def bytes_seen(self) -> int:
        """How many bytes were fed."""
        return self._seen

    @property
    def digests(self) -> bytes:
        """The packed digests; of an empty file that of its one empty chunk."""
        is_between = self._room == self._chunk_size and self._seen > 0
        return bytes(self._full) if is_between else bytes(self._full) + self._chunk.digest()

    @property
    def sha256(self) -> bytes | None:
        """The sha256 of all bytes, or None if that was not asked for."""
        return None if self._whole is None else self._whole.digest()

    def manifest(self, file_name: str) -> Manifest:
        """Return the manifest of the file.

        Raises:
            ManifestError: the format has no manifest for such a name, or for so many chunks.

        """
        return Manifest(
            file_name=file_name,
            file_size=self._seen,
            chunk_size=self._chunk_size,
            digests=self.digests,
            sha256=self.sha256,
        )


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How bytes compare with a manifest."""

    wrong_chunks: tuple[int, ...]  # they differ, or are missing wholly or in part
    size_difference: int  # bytes too many, or too few if below 0
    sha256_matches: bool | None  # None: the manifest does not say

    @property
    def is_match(self) -> bool:
        """The bytes are the file that the manifest describes."""
        return (
            not self.wrong_chunks and self.size_difference == 0 and self.sha256_matches is not False
        )


class FileCheck:
    """The running check of one file: feed it the bytes in order, ask for the verdict.

    What is too long is counted and not hashed, so an endless stream costs no memory.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._hasher = TreeHasher(manifest.chunk_size, whole=manifest.sha256 is not None)
        self._seen = 0

    def feed(self, data: Bytes) -> None:
        """Take the next bytes of the file."""
        view = memoryview(data).cast("B")
        room = self._manifest.file_size - self._hasher.bytes_seen
        self._hasher.feed(view[:room])
        self._seen += len(view)

    @property
    def bytes_seen(self) -> int:
        """How many bytes were fed: divide by the manifest's ``file_size`` for progress."""
        return self._seen

    def verdict(self) -> Verdict:
        """Judge the bytes so far as if the file ended here. More may be fed afterwards."""
        manifest, difference = self._manifest, self._seen - self._manifest.file_size
        matches = None
        if manifest.sha256 is not None:
            matches = difference == 0 and self._hasher.sha256 == manifest.sha256
        return Verdict(
            wrong_chunks=self._wrong_chunks(),
            size_difference=difference,
            sha256_matches=matches,
        )

    def _wrong_chunks(self) -> tuple[int, ...]:
        seen = self._hasher.digests
        return tuple(
            index
            for index in range(self._manifest.chunk_count)
            if seen[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
            != self._manifest.digest_of(index)
        )
