"""The manifest format, version 1: what a file is, chunk by chunk. ``FORMAT.md`` specifies it.

Rule: pure. Bytes in, values out; nothing here opens a file, knows a clock or imports coordinator.
"""

from manifests.errors import Code, ManifestError
from manifests.model import (
    CHECKSUM_PREFIX,
    DIGEST_BYTES,
    FORMAT,
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    MAX_FILE_BYTES,
    MAX_NAME_CHARACTERS,
    VERSION,
    Manifest,
    chunk_count,
    root,
)
from manifests.reading import MAX_MANIFEST_BYTES, parse
from manifests.sums import partial_sha256sum_lines, sha256sum_lines
from manifests.verify import FileCheck, TreeHasher, Verdict
from manifests.writing import canonical, digest

__all__ = [
    "CHECKSUM_PREFIX",
    "DIGEST_BYTES",
    "FORMAT",
    "MAX_CHUNKS",
    "MAX_CHUNK_BYTES",
    "MAX_FILE_BYTES",
    "MAX_MANIFEST_BYTES",
    "MAX_NAME_CHARACTERS",
    "VERSION",
    "Code",
    "FileCheck",
    "Manifest",
    "ManifestError",
    "TreeHasher",
    "Verdict",
    "canonical",
    "chunk_count",
    "digest",
    "parse",
    "partial_sha256sum_lines",
    "root",
    "sha256sum_lines",
]
