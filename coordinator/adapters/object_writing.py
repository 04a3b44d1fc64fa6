"""Writes an object of ours by multipart: parts under their SHA-256, proven as uploads are.

The same bytes written again, by whichever attempt, leave the same object and no other beside it.
"""

import hashlib
from typing import Final

import msgspec

import manifests
from coordinator.adapters.bucket import Bucket
from coordinator.adapters.s3_answers import MultipartGoneError, ObjectExistsError
from coordinator.domain.assembly import AssemblyPart
from coordinator.domain.names import manifest_key

PART_BYTES: Final = 8 * 1024 * 1024

_JSON: Final = "application/json"


class WrongObjectError(Exception):
    """S3 shows another object than the one that was written. Writing it again may help."""


class Stored(msgspec.Struct, frozen=True):
    """An object that S3 holds as it was written."""

    key: str
    size_bytes: int
    root: str
    sha256: bytes
    media_type: str


class ObjectWriting:
    """One object on its way to S3. Feed it parts of ``part_bytes``, the last may be shorter.

    Raises from any call, after which it is to be aborted:
        MultipartGoneError: another attempt writes the same object now.

    """

    def __init__(
        self, bucket: Bucket, key: str, *, media_type: str, token: str, part_bytes: int = PART_BYTES
    ) -> None:
        self.key = key
        self.part_bytes = part_bytes
        self._bucket = bucket
        self._media_type = media_type
        self._token = token
        self._tree = manifests.TreeHasher(part_bytes)
        self._parts: list[AssemblyPart] = []
        self._multipart_id: str | None = None

    async def begin(self) -> None:
        """Open the multipart, and abort what an attempt that died left of the same object."""
        async for page in self._bucket.list_multiparts(self.key):
            for old in page:
                if old.key == self.key:
                    await self._bucket.abort(old.key, old.multipart_id)
        self._multipart_id = await self._bucket.create_multipart(
            self.key, token=self._token, file_type=self._media_type
        )

    async def send(self, body: bytes) -> None:
        """Send the next part."""
        assert self._multipart_id is not None, "begun"
        self._tree.feed(body)
        number = len(self._parts) + 1
        digest = hashlib.sha256(body).digest()
        etag = await self._bucket.upload_part(
            self.key, self._multipart_id, number=number, body=body, sha256=digest
        )
        self._parts.append(AssemblyPart(number, etag, digest))

    async def finish(self, file_name: str) -> Stored:
        """Assemble and prove the object, and put its manifest beside it.

        Raises:
            WrongObjectError: S3 shows another checksum than ours.

        """
        if not self._parts:
            await self.send(b"")
        manifest = self._tree.manifest(file_name)
        try:
            await self._assemble(manifest)
        except ObjectExistsError:
            if not await self._is_there(manifest):
                # Of another release, or damaged: nobody else's object stands under this key.
                await self._bucket.delete(self.key)
                await self._assemble(manifest)
        except (MultipartGoneError, TimeoutError):
            if not await self._is_there(manifest):
                raise
        if not await self._is_there(manifest):
            raise WrongObjectError(self.key)
        await self._bucket.put(
            manifest_key(self.key), manifests.canonical(manifest), file_type=_JSON,
            token=self._token,
        )  # fmt: skip
        assert manifest.sha256 is not None, "the tree hashes the whole, too"
        return Stored(
            self.key, manifest.file_size, manifest.root, manifest.sha256, self._media_type
        )

    async def abort(self) -> None:
        """Leave nothing of a multipart that was not finished."""
        if self._multipart_id is not None:
            await self._bucket.abort(self.key, self._multipart_id)

    async def _assemble(self, manifest: manifests.Manifest) -> None:
        assert self._multipart_id is not None, "begun"
        await self._bucket.complete(
            self.key, self._multipart_id, self._parts, size_bytes=manifest.file_size
        )

    async def _is_there(self, manifest: manifests.Manifest) -> bool:
        facts = await self._bucket.facts(self.key)
        return facts is not None and facts.may_be(manifest.file_size, manifest.root)
