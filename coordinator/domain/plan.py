"""From a file's size to chunks: how large and how many.

The limits are S3's: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from typing import Final

import msgspec

from coordinator.domain.errors import ChunkSizeError, FileTooLargeError

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB

MAX_CHUNKS: Final = 10_000
MAX_CHUNK_BYTES: Final = 5 * GIB
MAX_FILE_BYTES: Final = MAX_CHUNKS * MAX_CHUNK_BYTES  # 48.8 TiB
S3_MIN_CHUNK_BYTES: Final = 5 * MIB  # of every part but the last
DEFAULT_CHUNK_BYTES: Final = 8 * MIB


class Plan(msgspec.Struct, frozen=True):
    """Chunks of ``chunk_bytes`` each, the last one shorter; an empty file is one empty chunk."""

    size_bytes: int
    chunk_bytes: int

    @property
    def chunk_count(self) -> int:
        """How many chunks there are, at least one."""
        return max(1, -(-self.size_bytes // self.chunk_bytes))

    def length_of(self, index: int) -> int:
        """How many bytes the chunk ``index`` has.

        >>> [Plan(25, 10).length_of(i) for i in range(3)]
        [10, 10, 5]
        """
        return min(self.chunk_bytes, self.size_bytes - index * self.chunk_bytes)


def plan(size_bytes: int, *, wished: int | None, smallest: int = S3_MIN_CHUNK_BYTES) -> Plan:
    """Choose the chunk size for a file: the wished one, or 8 MiB growing in whole MiB.

    Raises:
        FileTooLargeError: the file does not fit into an object.
        ChunkSizeError: the wished size is outside of S3's limits or makes too many chunks.

    """
    if size_bytes > MAX_FILE_BYTES:
        raise FileTooLargeError(
            "S3 holds at most 48.8 TiB in one object.", max_file_size=MAX_FILE_BYTES
        )
    needed = -(-size_bytes // MAX_CHUNKS)
    if wished is None:
        return Plan(size_bytes, max(DEFAULT_CHUNK_BYTES, -(-needed // MIB) * MIB))
    if wished < smallest:
        raise ChunkSizeError(
            f"S3 refuses parts below {smallest} bytes (5 MiB on AWS), but for the last one.",
            min_chunk_size=smallest,
        )
    if wished > MAX_CHUNK_BYTES:
        raise ChunkSizeError("S3 refuses parts above 5 GiB.", max_chunk_size=MAX_CHUNK_BYTES)
    if wished < needed:
        raise ChunkSizeError(
            f"S3 takes at most {MAX_CHUNKS} parts; this file needs chunks of {needed} bytes.",
            min_chunk_size=needed,
        )
    return Plan(size_bytes, wished)
