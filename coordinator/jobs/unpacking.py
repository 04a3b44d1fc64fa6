"""Gives the bytes of an object as they were before packing and encoding, a block at a time."""

import codecs
import zlib
from collections.abc import Generator, Iterable, Iterator
from io import RawIOBase
from typing import Final

import pyarrow as pa
from typing_extensions import Buffer, override

from coordinator.jobs.detect import Detected
from coordinator.jobs.object_reader import ObjectFile, ObjectReader, ObjectReadError
from coordinator.jobs.rows_results import BLOCK, NotRowsError

READ: Final = 4 * BLOCK

# Text packs 3 to 30 times, monotonous text 100; a bomb 1,000.
_RATIO: Final = 200
_HARMLESS: Final = 256 * 1024 * 1024

# Decodes what is no text to a character that no text has, so that its row is known.
LENIENT: Final = "coordinator.lone-surrogate"
NO_CHARACTER: Final = "\udcff"


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return NO_CHARACTER, error.end


codecs.register_error(LENIENT, _replaced)


def unpacked(reader: ObjectReader, detected: Detected) -> Generator[bytes]:
    """Yield the whole object's bytes unpacked, at most 4 MiB at a time.

    Raises:
        NotRowsError: it is damaged or cut off, or unpacks to more than 200 times its size and
            256 MiB. What came before has been given by then.
        ObjectReadError: S3 could not be read.

    """
    if detected.compression is None:
        for start in range(0, reader.size, READ):
            yield reader.read(start, start + READ)
        return
    size = 0
    for block in (_gzip if detected.compression == "gzip" else _zstd)(reader):
        size += len(block)
        if size > max(_HARMLESS, _RATIO * reader.size):
            detail = f"It unpacks to over {_RATIO} times its size."
            raise NotRowsError("unpacks-too-large", detail)
        yield block


def as_utf8(blocks: Iterable[bytes], encoding: str | None) -> Iterator[bytes]:
    """Encode text anew. Where it was not valid in ``encoding``, it is not valid UTF-8 either."""
    if encoding in {None, "utf-8"}:
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors=LENIENT)
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


class BlockFile(RawIOBase):
    """Blocks as a file that can be read once."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        wanted = memoryview(buffer)
        count = min(len(wanted), len(self._rest))
        wanted[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    @override
    def readable(self) -> bool:
        return True


def _gzip(reader: ObjectReader) -> Generator[bytes]:
    """Yield what all members hold. Zeros behind a member fill it up, as on tape."""
    member = zlib.decompressobj(wbits=31)
    for start in range(0, reader.size, READ):
        packed = reader.read(start, start + READ)
        while packed:
            if member.eof:
                packed = packed.lstrip(b"\x00")
                if not packed:
                    break
                member = zlib.decompressobj(wbits=31)
            try:
                block = member.decompress(packed, BLOCK)
            except zlib.error as exc:
                raise NotRowsError("damaged", "The gzip data is damaged.") from exc
            if block:
                yield block
            packed = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise NotRowsError("damaged", "The gzip data ends too early.")


def _zstd(reader: ObjectReader) -> Generator[bytes]:
    """Yield what all frames hold. Frames that need more than 128 MiB to unpack are refused.

    Arrow's stream, because zstandard's takes a frame that is cut off for one that has ended.
    """
    file = pa.PythonFile(ObjectFile(reader, longest_line=None), mode="r")
    stream = pa.CompressedInputStream(pa.BufferedInputStream(file, READ), "zstd")
    while True:
        try:
            block = stream.read(BLOCK)
        except ObjectReadError:
            raise
        except OSError as exc:
            raise NotRowsError("damaged", "The zstd data is damaged or ends too early.") from exc
        if not block:
            return
        yield block
