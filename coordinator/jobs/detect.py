"""Tells what a file is from its first bytes, and only then from what it is called. Pure."""

import csv
import zlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec
import zstandard

from coordinator.domain.first_bytes import compression_of, encoding_of, format_of

HEAD_BYTES: Final = 64 * 1024

# Tables can be summarized; the rest is only named.
TABLES: Final = frozenset({"jsonl", "json", "csv", "tsv", "parquet"})

_LINES: Final = 50
_DELIMITERS: Final = ("\t", ",", ";", "|")

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
# What `zstd --ultra -22` asks for, and the most that Arrow grants.
_LARGEST_WINDOW: Final = 128 * 1024 * 1024
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
    compression = compression_of(head)
    content = _unpacked(head, compression)
    found = (
        Detected(format=expected or "binary", basis="name")
        if content is None
        else _of_content(content, expected)
    )
    found = msgspec.structs.replace(found, compression=compression)
    return msgspec.structs.replace(found, notes=_notes(found, expected, packed))


def _expected(file_name: str, file_type: str) -> tuple[str | None, str | None]:
    """Read format and compression out of the name, else the format out of the media type."""
    name = PurePosixPath(file_name.lower())
    packed = _PACKED.get(name.suffix[1:])
    if packed:
        name = name.with_suffix("")
    media_type = file_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(name.suffix[1:]) or _MEDIA_TYPES.get(media_type), packed


def _unpacked(head: bytes, compression: str | None) -> bytes | None:
    """Unpack the beginning; ``None`` if nothing can be, which is not the same as empty.

    What is broken further on shows when the whole is read.
    """
    if compression is None:
        return head
    return _gunzip(head) if compression == "gzip" else _unzstd(head)


def _gunzip(head: bytes) -> bytes | None:
    unpacking = zlib.decompressobj(wbits=31)
    try:
        content = unpacking.decompress(head, HEAD_BYTES)
    except zlib.error:
        return None
    return content if content or unpacking.eof else None


def _unzstd(head: bytes) -> bytes | None:
    unpacking = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    content = b""
    try:
        stream = unpacking.stream_reader(head, read_across_frames=True)
        while len(content) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(content))):
            content += more
        if not content:
            whole = unpacking.decompressobj()
            whole.decompress(head)
            return content if whole.eof else None
    except zstandard.ZstdError:
        pass
    return content or None


def _of_content(head: bytes, expected: str | None) -> Detected:
    if not head:
        return Detected(format="empty", basis="content")
    magic = format_of(head)
    if magic is not None:
        return Detected(format=magic, basis="magic")
    encoding = encoding_of(head)
    if encoding is None:
        return Detected(format="binary", basis="content")
    name, basis = _of_text(_decoded(head, encoding), expected)
    return Detected(format=name, encoding=encoding, basis=basis)


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


def delimiter_of(text: str) -> str:
    """Return what cuts the fields of a csv file, judged by its first lines.

    >>> delimiter_of("a;b" + chr(10) + "1,5;2")
    ';'

    """
    lines = [line for line in text.splitlines()[: _LINES + 1] if line.strip()]
    agreed = next((found for found, counts in _field_counts(lines) if len(set(counts)) == 1), None)
    if agreed:
        return agreed
    # Some rows are broken: believe what cuts most rows as it cuts the header.
    rated = [(counts.count(counts[0]), found) for found, counts in _field_counts(lines)]
    return max(rated, key=lambda rating: rating[0], default=(0, ","))[1]


def _field_counts(lines: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Say into how many fields each delimiter cuts the rows, where it cuts the header at all."""
    for delimiter in _DELIMITERS:
        # The last line may be cut off by the end of the head.
        try:
            counts = [len(row) for row in csv.reader(lines[:-1] or lines, delimiter=delimiter)]
        except csv.Error:
            continue
        if counts and counts[0] > 1:
            yield delimiter, counts


def _delimited(lines: Sequence[str]) -> str | None:
    """Find a delimiter that cuts the first lines into equally many fields, two at least."""
    if len(lines) == 1:  # it agrees with itself about anything
        return None
    for delimiter, counts in _field_counts(lines):
        if len(set(counts)) == 1 and delimiter in lines[-1]:
            return "tsv" if delimiter == "\t" else "csv"
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
