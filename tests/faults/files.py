"""The files that clients of a run upload, made again from the scenario by every process."""

import hashlib
from functools import cache
from typing import Final

import manifests
from tests.builders import SMALLEST, cut, some_bytes
from tests.faults.evidence import File
from tests.faults.scenarios import FILES, Scenario

_SIZES: Final = {"empty": 0, "tiny": 700, "two": SMALLEST + 999, "three": 2 * SMALLEST + 1}


def names(scenario: Scenario) -> list[str]:
    """Name the files; every upload can be told by its file's name, and retries by its number."""
    return [f"{scenario.point}-{scenario.seed}-{at}.csv" for at in range(FILES)]


@cache
def chunks_of(shape: str, name: str) -> tuple[bytes, ...]:
    """Return a file's chunks: a table, so that jobs have something to read, then noise."""
    size = _SIZES[shape]
    head = f"file,number\n{name},1\n".encode()
    data = (head + some_bytes(SMALLEST * 2 + 1)[: max(0, size - len(head))])[:size]
    return tuple(cut(data, SMALLEST))


def file_of(scenario: Scenario, name: str) -> File:
    """Describe a file by its digests."""
    chunks = chunks_of(scenario.shape, name)
    digests = [hashlib.sha256(chunk) for chunk in chunks]
    return File(
        size_bytes=sum(map(len, chunks)),
        chunk_bytes=SMALLEST,
        digests=tuple(digest.hexdigest() for digest in digests),
        sha256=hashlib.sha256(b"".join(chunks)).hexdigest(),
        root=manifests.root(b"".join(digest.digest() for digest in digests)),
    )


def checksum(scenario: Scenario, name: str) -> str | None:
    """Return what the client declares, true or not."""
    file = file_of(scenario, name)
    other = hashlib.sha256(name.encode())
    count = len(file.digests)
    return {
        "nothing": None,
        "tree": manifests.CHECKSUM_PREFIX + file.root,
        "sha256": f"sha256:{file.sha256}",
        "wrong-tree": manifests.CHECKSUM_PREFIX + manifests.root(other.digest() * count),
        "wrong-sha256": f"sha256:{other.hexdigest()}",
    }[scenario.declared]
