"""What S3 must hold, compared with what it holds: the decisions before anything is assembled.

ListParts is never trusted alone: some servers show no digests, some list a part twice. The digests
that count are those that were fixed when the chunks were signed.
"""

from collections.abc import Iterable, Mapping

import msgspec

import manifests
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import ChecksumMismatchError, PartsMissingError
from coordinator.domain.plan import Plan


class ListedPart(msgspec.Struct, frozen=True):
    """One entry of ListParts. ``sha256`` is ``None`` where the server does not show it."""

    number: int
    etag: str
    size_bytes: int
    sha256: bytes | None


class AssemblyPart(msgspec.Struct, frozen=True):
    """One part as CompleteMultipartUpload is told of it."""

    number: int
    etag: str
    sha256: bytes


class Content(msgspec.Struct, frozen=True):
    """What the object must be: its plan, and every chunk's digest, packed in order."""

    plan: Plan
    digests: bytes

    @property
    def root(self) -> str:
        """The composite checksum that S3 must show."""
        return manifests.root(self.digests)


def content_of(plan: Plan, digests: Mapping[int, bytes]) -> Content | None:
    """Put the fixed digests in order; ``None`` while a chunk was never signed."""
    if len(digests) != plan.chunk_count:
        return None
    return Content(plan, b"".join(digests[index] for index in range(plan.chunk_count)))


def held_chunks(
    plan: Plan, digests: Mapping[int, bytes], listed: Iterable[ListedPart]
) -> dict[int, str]:
    """Say which chunks S3 holds rightly, by index, with their ETags."""
    return {
        number - 1: part.etag
        for number, part in _one_each(plan, digests, listed).items()
        if 1 <= number <= plan.chunk_count and not _is_wrong(plan, digests, part)
    }


def assemble(
    plan: Plan, digests: Mapping[int, bytes], listed: Iterable[ListedPart]
) -> tuple[AssemblyPart, ...]:
    """Decide which parts to name to CompleteMultipartUpload: all of them, each as it was signed.

    Raises:
        PartsMissingError: S3 lacks chunks, or holds parts that were never signed.
        ChecksumMismatchError: S3 holds a part whose size or digest is not the signed one.

    """
    parts = _one_each(plan, digests, listed)
    indexes = range(plan.chunk_count)
    missing = [index for index in indexes if index + 1 not in parts or index not in digests]
    if missing:
        raise PartsMissingError(missing)
    wrong = [index for index in indexes if _is_wrong(plan, digests, parts[index + 1])]
    if wrong:
        raise ChecksumMismatchError(
            f"S3 holds {len(wrong)} chunk(s) that are not what was signed. Send them again.", wrong
        )
    return tuple(
        AssemblyPart(index + 1, parts[index + 1].etag, digests[index]) for index in indexes
    )


def _one_each(
    plan: Plan, digests: Mapping[int, bytes], listed: Iterable[ListedPart]
) -> dict[int, ListedPart]:
    """Take one entry a part: the last that is right, if any is.

    SeaweedFS keeps every sending of a part and lists them in no order of time.
    """
    found: dict[int, ListedPart] = {}
    for part in listed:
        if part.number not in found or not _is_wrong(plan, digests, part):
            found[part.number] = part
    return found


def _is_wrong(plan: Plan, digests: Mapping[int, bytes], part: ListedPart) -> bool:
    index = part.number - 1
    fixed = digests.get(index)
    return (
        fixed is None
        or part.size_bytes != plan.length_of(index)
        or (part.sha256 is not None and part.sha256 != fixed)
    )


def needs_hashing(plan: Plan, declared: Declared) -> bool:
    """Say whether a worker must read the object: S3 has no whole-object SHA-256 of a multipart."""
    return declared.sha256 is not None and plan.chunk_count > 1


def check_declared(content: Content, declared: Declared) -> None:
    """Compare with what was declared, as far as no second reading is needed.

    Raises:
        ChecksumMismatchError: the declared root, or the sha256 of a file of one chunk, is another.

    """
    if declared.root is not None and declared.root != content.root:
        raise ChecksumMismatchError("The chunks' digests do not make the declared sha256-tree.")
    if declared.sha256 is None or needs_hashing(content.plan, declared):
        return
    if declared.sha256 != content.digests:
        raise ChecksumMismatchError("The file's sha256 is not the declared one.", [0])


def check_manifest(content: Content, manifest: manifests.Manifest) -> None:
    """Compare the manifest that a client sent along with the digests that were fixed.

    Raises:
        ChecksumMismatchError: sizes or digests differ; ``chunks`` names which.

    """
    plan = content.plan
    if (manifest.file_size, manifest.chunk_size) != (plan.size_bytes, plan.chunk_bytes):
        raise ChecksumMismatchError("The manifest is of a file of another size, or cut otherwise.")
    wrong = [
        index
        for index in range(plan.chunk_count)
        if manifest.digest_of(index) != content.digests[32 * index : 32 * index + 32]
    ]
    if wrong:
        raise ChecksumMismatchError(f"The manifest differs in {len(wrong)} chunk(s).", wrong)
