"""Lines for ``sha256sum -c``: the check that needs none of our software.

They name the pieces that ``split -b CHUNK_SIZE -d -a 5 FILE FILE.`` makes, in the form that GNU
coreutils writes itself.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from manifests.errors import ManifestError
from manifests.model import DIGEST_BYTES, Manifest, check_name, chunk_count

# GNU marks a line whose name is escaped with a backslash before the digest.
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


def sha256sum_lines(manifest: Manifest) -> str:
    """Write a line for each piece, and one for the whole file where its sha256 is known.

    ``split`` makes no piece of an empty file, so that has the second line only.
    """
    pieces = ((index, manifest.digest_of(index)) for index in range(manifest.chunk_count))
    return _lines(manifest.file_name, manifest.file_size, pieces, manifest.sha256)


def partial_sha256sum_lines(
    file_name: str, digests: Mapping[int, bytes], *, file_size: int, chunk_size: int
) -> str:
    """Write the lines of the chunks known so far, of an upload that is still open.

    Raises:
        ManifestError: name, sizes, an index or a digest could be in no manifest.

    """
    check_name(file_name)
    total = chunk_count(file_size, chunk_size)
    for index, digest in digests.items():
        if not 0 <= index < total:
            detail = f"The file has {total} chunk(s), counted from 0."
            raise ManifestError("chunk-count-mismatch", detail, "/chunks")
        if len(digest) != DIGEST_BYTES:
            raise ManifestError("bad-digest", "A sha256 has 32 bytes.", f"/chunks/{index}")
    whole = digests.get(0) if total == 1 else None
    return _lines(file_name, file_size, sorted(digests.items()), whole)


def _lines(
    name: str, file_size: int, pieces: Iterable[tuple[int, bytes]], whole: bytes | None
) -> str:
    lines = [_line(digest, f"{name}.{index:05d}") for index, digest in pieces if file_size]
    if whole is not None:
        # To sha256sum a bare dash is its standard input.
        lines.append(_line(whole, "./-" if name == "-" else name))
    return "".join(lines)


def _line(digest: bytes, name: str) -> str:
    escaped = name.translate(_ESCAPES)
    mark = "" if escaped == name else "\\"
    return f"{mark}{digest.hex()}  {escaped}\n"
