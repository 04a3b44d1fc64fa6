"""What a file's first bytes tell of it, whatever it is called. Pure."""

import codecs
from collections.abc import Sequence
from typing import Final

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"

# Control characters that text has no use for.
_CONTROLS: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")

_MAGIC: Final[Sequence[tuple[int, bytes, str]]] = (
    (0, b"PAR1", "parquet"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"PK\x07\x08", "zip"),
    (0, b"%PDF-", "pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF8", "gif"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"ARROW1\x00\x00", "arrow"),
    (0, b"Obj\x01", "avro"),
    (0, b"ORC", "orc"),
    (0, b"SQLite format 3\x00", "sqlite"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"GGUF", "gguf"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"\x7fELF", "elf"),
    (4, b"ftyp", "mp4"),
    (257, b"ustar", "tar"),
)
# The longer mark first: UTF-32-LE begins with UTF-16-LE's.
_MARKS: Final[Sequence[tuple[bytes, str]]] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def format_of(head: bytes) -> str | None:
    """Name the format that the magic number says.

    >>> format_of(b"PAR1...."), format_of(b"a,b")
    ('parquet', None)
    """
    return next((name for at, magic, name in _MAGIC if head.startswith(magic, at)), None)


def compression_of(head: bytes) -> str | None:
    """Name what the file is packed with: ``gzip`` or ``zstd``."""
    if head.startswith(GZIP):
        return "gzip"
    return "zstd" if head.startswith(ZSTD) else None


def is_plain_text(head: bytes) -> bool:
    r"""Whether it is UTF-8 without any control character: the sure case of text.

    >>> is_plain_text(b"ORCHIDS,7"), is_plain_text(b"ORC\x0a\x03\x00")
    (True, False)
    """
    return encoding_of(head) == "utf-8" and _CONTROLS.isdisjoint(head)


def is_mostly_text(head: bytes) -> bool:
    """Whether it is text in some encoding, damaged a little perhaps."""
    encoding = encoding_of(head)
    if encoding != "utf-8":
        return encoding is not None
    return sum(byte in _CONTROLS for byte in head) <= len(head) // 100


def encoding_of(head: bytes) -> str | None:
    """Name the text encoding, None for what is no text."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\x00" in head:
        return _without_mark(head)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        controls = sum(byte in _CONTROLS for byte in head)
        return None if controls > len(head) // 500 else "latin-1"
    return "utf-8"


def _without_mark(head: bytes) -> str | None:
    """UTF-16 of mostly Latin text has its zeros on one side only."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.6 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.05:
        return "utf-16-be"
    # A stray zero does not make UTF-8 text binary: JSON lines damaged by a disk have them.
    return "utf-8" if head.count(0) <= len(head) // 1000 else None
