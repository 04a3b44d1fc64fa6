"""Media types: which a tenant may upload, and whether name and first bytes agree with them. Pure.

Rule: a contradiction is between two things that this table knows; what it does not know passes.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from coordinator.domain import first_bytes
from coordinator.domain.errors import TypeNotAllowedError
from coordinator.domain.quotas import Quotas, TypeCheck

UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"
HEAD_BYTES: Final = 8 * 1024

_WORD: Final = r"[A-Za-z0-9!#$&^_.+-]{1,64}"
PATTERN: Final = rf"^({_WORD}/({_WORD}|\*)|\*/\*)$(?!\n)"

_EXECUTABLE: Final = "application/vnd.microsoft.portable-executable"
_JSONL: Final = "application/jsonl"
_PARQUET: Final = "application/vnd.apache.parquet"

# Whatever is not among the keys is called by its own name.
_ALIASES: Final[Mapping[str, str]] = {
    "application/x-ndjson": _JSONL,
    "application/ndjson": _JSONL,
    "application/x-jsonlines": _JSONL,
    "application/jsonlines": _JSONL,
    "application/x-parquet": _PARQUET,
    "application/parquet": _PARQUET,
    "application/csv": "text/csv",
    "text/x-csv": "text/csv",
    "text/tsv": "text/tab-separated-values",
    "text/json": "application/json",
    "text/xml": "application/xml",
    "text/javascript": "application/javascript",
    "application/x-gzip": "application/gzip",
    "application/x-zstd": "application/zstd",
    "application/x-zip-compressed": "application/zip",
    "application/x-zip": "application/zip",
    "application/x-bzip": "application/x-bzip2",
    "application/x-pdf": "application/pdf",
    "application/x-sqlite3": "application/vnd.sqlite3",
    "application/x-avro": "application/avro",
    "avro/binary": "application/avro",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "application/x-msdownload": _EXECUTABLE,
    "application/x-dosexec": _EXECUTABLE,
    "application/x-msdos-program": _EXECUTABLE,
}
_OF_FORMAT: Final[Mapping[str, str]] = {
    "parquet": _PARQUET,
    "zip": "application/zip",
    "gzip": "application/gzip",
    "zstd": "application/zstd",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "tiff": "image/tiff",
    "arrow": "application/vnd.apache.arrow.file",
    "avro": "application/avro",
    "orc": "application/x-orc",
    "sqlite": "application/vnd.sqlite3",
    "hdf5": "application/x-hdf5",
    "npy": "application/x-npy",
    "gguf": "application/x-gguf",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "7z": "application/x-7z-compressed",
    "elf": "application/x-executable",
    "mp4": "video/mp4",
    "tar": "application/x-tar",
}
# Without their magic number at the beginning they cannot be read at all.
_MARKED: Final = frozenset(
    _OF_FORMAT[name]
    for name in (
        *("parquet", "avro", "orc", "sqlite", "npy"),
        *("zip", "gzip", "zstd", "bzip2", "xz", "7z"),
        *("png", "jpeg", "gif", "tiff"),
    )
)
_TEXTS: Final = frozenset(
    {
        "application/json",
        _JSONL,
        "application/xml",
        "application/yaml",
        "application/javascript",
        "application/sql",
    }
)
_KNOWN: Final = frozenset(_OF_FORMAT.values()) | {_EXECUTABLE, "image/webp"}

_ANY_TEXT: Final = frozenset({"txt", "md", "log"})
# The first one is what the name says; the others are sent for such files as well.
_OF_EXTENSION: Final[Mapping[str, Sequence[str]]] = {
    "csv": ("text/csv", TEXT, "application/vnd.ms-excel"),
    "tsv": ("text/tab-separated-values", TEXT),
    "tab": ("text/tab-separated-values", TEXT),
    "json": ("application/json", _JSONL, TEXT),
    "jsonl": (_JSONL, "application/json", TEXT),
    "ndjson": (_JSONL, "application/json", TEXT),
    "xml": ("application/xml", TEXT),
    "yaml": ("application/yaml", TEXT),
    "yml": ("application/yaml", TEXT),
    "html": ("text/html", TEXT),
    "parquet": (_PARQUET,),
    "gz": ("application/gzip",),
    "tgz": ("application/gzip", "application/x-tar"),
    "zst": ("application/zstd",),
    "zip": ("application/zip",),
    "bz2": ("application/x-bzip2",),
    "xz": ("application/x-xz",),
    "7z": ("application/x-7z-compressed",),
    "tar": ("application/x-tar",),
    "pdf": ("application/pdf",),
    "png": ("image/png",),
    "jpg": ("image/jpeg",),
    "jpeg": ("image/jpeg",),
    "gif": ("image/gif",),
    "tif": ("image/tiff",),
    "tiff": ("image/tiff",),
    "webp": ("image/webp",),
    "mp4": ("video/mp4",),
    "avro": ("application/avro",),
    "orc": ("application/x-orc",),
    "npy": ("application/x-npy",),
    "sqlite": ("application/vnd.sqlite3",),
    "exe": (_EXECUTABLE,),
    "dll": (_EXECUTABLE,),
}
_PACKING: Final = frozenset({"gz", "tgz", "zst", "bz2", "xz"})
_PDF: Final = b"%PDF-"


def check_declared(quotas: Quotas, file_type: str, file_name: str) -> None:
    """Refuse what the tenant may not upload, by what the client says of it.

    Raises:
        TypeNotAllowedError: no pattern of the tenant's fits, or it refuses contradictions and the
            name says another type.

    """
    patterns = quotas.file_types
    if patterns is not None and not is_allowed(file_type, patterns):
        detail = "The tenant may not upload this type; `allowed` says which it may."
        raise TypeNotAllowedError(detail, allowed=patterns)
    said = type_against(file_type, file_name)
    if said is not None and quotas.type_check is TypeCheck.REFUSE:
        raise contradiction(file_type, said, by="the file's name")


def contradiction(file_type: str, found: str, *, by: str) -> TypeNotAllowedError:
    """Build the refusal. What was declared is called by a name of ours, not repeated."""
    declared = canonical(file_type)
    shown = declared if declared in _KNOWN | _TEXTS | {TEXT, "text/csv"} else "text"
    return TypeNotAllowedError(
        f"The file is declared to be {shown}, but {by} says {found}.", declared=shown, found=found
    )


def canonical(file_type: str) -> str:
    """Return the one name of a media type, without parameters.

    >>> canonical("Application/X-NDJSON; charset=utf-8")
    'application/jsonl'
    """
    name = file_type.partition(";")[0].strip().lower()
    return _ALIASES.get(name, name) or UNKNOWN


def is_allowed(file_type: str, patterns: Sequence[str]) -> bool:
    """Whether a media type fits one of the patterns; each name of a type fits the others' pattern.

    >>> is_allowed("text/csv; header=present", ["image/*", "TEXT/*"])
    True
    >>> is_allowed("application/x-ndjson", ["application/jsonl"])
    True
    >>> is_allowed("text/csv", ["image/*", "text/plain"])
    False
    """
    names = {canonical(file_type), file_type.partition(";")[0].strip().lower()}
    return any(_fits(name, pattern.lower()) for name in names for pattern in patterns)


def _fits(name: str, pattern: str) -> bool:
    if pattern == "*/*":
        return True
    if pattern.endswith("/*"):
        return name.startswith(pattern[:-1])
    return name == pattern or name == canonical(pattern)


def type_against(file_type: str, file_name: str) -> str | None:
    """Return the type that the name says, where that is another one than the declared.

    >>> type_against("text/csv", "cat.png")
    'image/png'
    >>> type_against("text/csv", "data.csv.gz") is None
    True
    """
    declared = canonical(file_type)
    if not _is_known(declared):
        return None
    path = PurePosixPath(file_name.lower())
    extension = path.suffix[1:]
    if extension in _ANY_TEXT:
        return None if _is_text(declared) else TEXT
    said = _OF_EXTENSION.get(extension)
    if said is None or declared in said:
        return None
    if extension in _PACKING and path.stem:  # declared may be what is in it
        return None if type_against(file_type, path.stem) is None else said[0]
    return said[0]


def type_of(head: bytes) -> str | None:
    r"""Return the media type that the first bytes say for sure; ``None`` where they do not.

    >>> type_of(b"PAR1\x15\x04"), type_of(b"PARIS,LONDON"), type_of(b"\xff\x07\x08\x01")
    ('application/vnd.apache.parquet', 'text/plain', None)
    """
    if first_bytes.is_plain_text(head) and not head.startswith(_PDF):
        return TEXT  # although it may begin with the word that is a format's magic number
    if _PDF in head[:1024]:  # readers allow for something in front
        return _OF_FORMAT["pdf"]
    if re.match(rb"[\x50-\x5f]\x2a\x4d\x18", head):  # a frame to be skipped comes first
        return _OF_FORMAT["zstd"]
    found = first_bytes.compression_of(head) or first_bytes.format_of(head)
    if found is not None:
        return _OF_FORMAT[found]
    if _is_portable_executable(head):
        return _EXECUTABLE
    return TEXT if first_bytes.is_mostly_text(head) else None


def _is_portable_executable(head: bytes) -> bool:
    at = int.from_bytes(head[60:64], "little")
    return head.startswith(b"MZ") and head.startswith(b"PE\x00\x00", at)


def contradicts(file_type: str, file_name: str, detected: str) -> bool:
    """Whether an object whose first bytes say ``detected`` cannot be what it was declared to be.

    >>> contradicts("text/csv", "a.csv", "application/zip")
    True
    >>> contradicts("text/csv", "a.csv.gz", "application/gzip")
    False
    >>> contradicts("application/vnd.apache.parquet", "a", "application/octet-stream")
    True
    """
    declared = canonical(file_type)
    if not _is_known(declared) or detected == declared:
        return False
    path = PurePosixPath(file_name.lower())
    if path.suffix[1:] in _PACKING and detected in _OF_EXTENSION[path.suffix[1:]]:
        return False
    if detected == UNKNOWN:
        return declared in _MARKED
    return not (_is_text(declared) and _is_text(detected))


def _is_known(name: str) -> bool:
    return name in _KNOWN or _is_text(name)


def _is_text(name: str) -> bool:
    return name.startswith("text/") or name in _TEXTS or name.endswith(("+json", "+xml"))
