"""Tells what a file is from its first bytes, and only then from what it is called. Pure."""

import codecs
import csv
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

HEAD_BYTES: Final = 64 * 1024

# Tables can be summarized; the rest is only named.
TABLES: Final = frozenset({"jsonl", "json", "csv", "tsv", "parquet"})

_LINES: Final = 50
# Control characters that text has no use for.
_CONTROLS: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")

_MAGIC: Final[Sequence[tuple[int, bytes, str]]] = (
    (0, b"PAR1", "parquet"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
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
_EXTENSIONS: Final = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "parquet": "parquet",
    "txt": "text",
    "md": "text",
}
_MEDIA_TYPES: Final = {
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/json": "json",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/vnd.apache.parquet": "parquet",
}
_PACKED: Final = {"gz": "gzip", "gzip": "gzip", "zst": "zstd", "zstd": "zstd"}


class Detected(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a file was found to be."""

    format: str
    """``jsonl json csv tsv parquet text binary empty``, or the name of another known format."""

    compression: str | None = None
    """``gzip`` or ``zstd`` around ``format``."""

    encoding: str | None = None
    """Of text: ``utf-8 utf-16-le utf-16-be utf-32-le utf-32-be latin-1``. latin-1 is a guess."""

    basis: str
    """What told: ``magic``, ``content``, or ``name`` where the content leaves it open."""

    notes: tuple[str, ...] = ()
    """What a reader should know, in sentences."""


def detect(head: bytes, file_name: str, file_type: str) -> Detected:
    """Tell the format from ``head``, the file's first 64 KiB, its name and its declared type.

    >>> detect(b"PAR1....", "a.csv", "text/csv").format
    'parquet'
    >>> detect(b'{"a":1}', "a.jsonl", "application/json").format
    'jsonl'

    """
    expected, packed = _expected(file_name, file_type)
    if head.startswith(b"\x1f\x8b"):
        unpacked = _gunzip(head)
        found = (
            Detected(format=expected or "binary", basis="name")
            if unpacked is None
            else _of_content(unpacked, expected)
        )
        found = msgspec.structs.replace(found, compression="gzip")
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        found = Detected(format=expected or "binary", compression="zstd", basis="name")
    else:
        found = _of_content(head, expected)
    return msgspec.structs.replace(found, notes=_notes(found, expected, packed))


def _expected(file_name: str, file_type: str) -> tuple[str | None, str | None]:
    """Read format and compression out of the name, else the format out of the media type."""
    name = PurePosixPath(file_name.lower())
    packed = _PACKED.get(name.suffix[1:])
    if packed:
        name = name.with_suffix("")
    media_type = file_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(name.suffix[1:]) or _MEDIA_TYPES.get(media_type), packed


def _gunzip(head: bytes) -> bytes | None:
    """Unpack the beginning; ``None`` if nothing can be, which is not the same as empty.

    What is broken further on shows when the whole is read.
    """
    unpacking = zlib.decompressobj(wbits=31)
    try:
        content = unpacking.decompress(head, HEAD_BYTES)
    except zlib.error:
        return None
    return content if content or unpacking.eof else None


def _of_content(head: bytes, expected: str | None) -> Detected:
    if not head:
        return Detected(format="empty", basis="content")
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return Detected(format=name, basis="magic")
    encoding = _encoding(head)
    if encoding is None:
        return Detected(format="binary", basis="content")
    name, basis = _of_text(_decoded(head, encoding), expected)
    return Detected(format=name, encoding=encoding, basis=basis)


def _encoding(head: bytes) -> str | None:
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


def _decoded(head: bytes, encoding: str) -> str:
    return head.decode(encoding, errors="replace").removeprefix("\ufeff")


def _of_text(text: str, expected: str | None) -> tuple[str, str]:
    lines = [line for line in text.splitlines()[: _LINES + 1] if line.strip()][:_LINES]
    if not lines:
        return expected if expected in TABLES - {"parquet"} else "text", "name"
    if json_format := _json_format(lines, expected):
        return json_format, "content"
    if expected in {"csv", "tsv"}:
        return expected, "name"
    return _delimited(lines) or "text", "content"


def _json_format(lines: Sequence[str], expected: str | None) -> str | None:
    """Tell JSON lines, with some of them broken, from one JSON document, and both from others."""
    objects = sum(map(_is_json_container, lines))
    if len(lines) > 1 and objects * 2 >= len(lines):
        return "jsonl"
    if not lines[0].lstrip().startswith(("{", "[")):
        # A few good lines among broken ones are JSON lines only if they are called so.
        return "jsonl" if objects and expected == "jsonl" else None
    return "jsonl" if expected == "jsonl" else "json"


def _is_json_container(line: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), (dict, list))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False


def _delimited(lines: Sequence[str]) -> str | None:
    """Find a delimiter that cuts the first lines into equally many fields, two at least."""
    if len(lines) == 1:  # it agrees with itself about anything
        return None
    for delimiter, name in (("\t", "tsv"), (",", "csv"), (";", "csv"), ("|", "csv")):
        # The last line may be cut off by the end of the head.
        try:
            counts = {len(row) for row in csv.reader(lines[:-1] or lines, delimiter=delimiter)}
        except csv.Error:
            continue
        if len(counts) == 1 and counts.pop() > 1 and delimiter in lines[-1]:
            return name
    return None


def _notes(found: Detected, expected: str | None, packed: str | None) -> tuple[str, ...]:
    notes = []
    if expected and found.format not in {expected, "empty"}:
        notes.append(f"Name or declared type say {expected}, the content is {found.format}.")
    if packed and packed != found.compression:
        notes.append(f"The name says {packed}, but the content is not packed so.")
    if found.encoding == "latin-1":
        notes.append("Not valid UTF-8; latin-1 is a guess.")
    elif found.encoding not in {None, "utf-8"}:
        notes.append(f"Encoded as {found.encoding}.")
    return tuple(notes)
