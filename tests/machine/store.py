"""An S3 in memory, as far as one upload meets it: multiparts, one object, answers that get lost.

Two kinds, as the real ones differ (s3-facts): ``strict`` shows digests, replaces a part that is
sent twice and forgets a completed multipart, but believes what it is sent; the other one hides
digests and lists a part twice, but refuses bytes that are not the signed ones.
"""

import hashlib
from itertools import count

import msgspec

import manifests
from coordinator.domain.assembly import AssemblyPart, ListedPart


class Object(msgspec.Struct, frozen=True):
    """What stands at the upload's key."""

    token: str
    chunks: tuple[bytes, ...]

    @property
    def root(self) -> str:
        """The composite checksum that HeadObject shows."""
        return manifests.root(b"".join(hashlib.sha256(chunk).digest() for chunk in self.chunks))

    @property
    def sha256(self) -> bytes:
        """What reading all of it comes to."""
        return hashlib.sha256(b"".join(self.chunks)).digest()


class NoSuchUploadError(Exception):
    """The multipart was completed, aborted, or dropped by the bucket's rule."""


class InvalidPartError(Exception):
    """A part is not as CompleteMultipartUpload names it."""


class _Sent(msgspec.Struct, frozen=True):
    number: int
    etag: str
    chunk: bytes

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.chunk).digest()


class Store:
    """One key of a bucket."""

    def __init__(self, *, is_strict: bool) -> None:
        self.is_strict = is_strict
        self.object: Object | None = None
        self.commits = 0
        self._open: dict[str, list[_Sent]] = {}
        self._names = count(1)

    def create(self) -> str:
        """Open a multipart and name it."""
        name = f"multipart-{next(self._names)}"
        self._open[name] = []
        return name

    def put(self, multipart_id: str, index: int, chunk: bytes, *, signed: bytes) -> bool:
        """Take a part by its URL; ``False`` when it is refused."""
        parts = self._open.get(multipart_id)
        is_right = hashlib.sha256(chunk).digest() == signed
        if parts is None or not (is_right or self.is_strict):
            return False
        if self.is_strict:
            parts[:] = [part for part in parts if part.number != index + 1]
        parts.append(_Sent(index + 1, f"etag-{next(self._names)}", chunk))
        return True

    def list_parts(self, multipart_id: str) -> list[ListedPart]:
        """List what was sent."""
        return [
            ListedPart(
                part.number, part.etag, len(part.chunk), part.sha256 if self.is_strict else None
            )
            for part in self._parts(multipart_id)
        ]

    def drop(self, multipart_id: str | None) -> None:
        """Forget a multipart: aborted by us, or by the bucket's rule."""
        self._open.pop(multipart_id or "", None)

    def complete(self, multipart_id: str, token: str, parts: tuple[AssemblyPart, ...]) -> None:
        """Make the object out of the named parts."""
        sent = {(part.number, part.etag): part for part in self._parts(multipart_id)}
        named = [sent.get((part.number, part.etag)) for part in parts]
        chunks = tuple(
            found.chunk
            for found, part in zip(named, parts, strict=True)
            if found is not None and found.sha256 == part.sha256
        )
        if len(chunks) != len(parts):
            raise InvalidPartError
        assert self.object is None, "If-None-Match: * would have refused"
        self.drop(multipart_id)
        self.object = Object(token, chunks)
        self.commits += 1

    def _parts(self, multipart_id: str) -> list[_Sent]:
        try:
            return self._open[multipart_id]
        except KeyError:
            raise NoSuchUploadError from None
