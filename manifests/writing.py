"""Canonical bytes: two manifests are the same exactly if these are."""

import hashlib
import json

from manifests.model import DIGEST_BYTES, FORMAT, VERSION, Manifest


def canonical(manifest: Manifest) -> bytes:
    """Write a manifest as RFC 8785 canonical JSON: sorted keys, no whitespace, UTF-8."""
    members: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "fileName": manifest.file_name,
        "fileSize": manifest.file_size,
        "chunkSize": manifest.chunk_size,
        "chunks": manifest.digests.hex(",", DIGEST_BYTES).split(","),
        "root": manifest.root,
    }
    if manifest.sha256 is not None:
        members["sha256"] = manifest.sha256.hex()
    # json's escapes are RFC 8785's once ensure_ascii is off, and all numbers are below 2**53.
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def digest(manifest: Manifest) -> str:
    """Return the hex sha256 of the canonical bytes: the manifest's own identity."""
    return hashlib.sha256(canonical(manifest)).hexdigest()
