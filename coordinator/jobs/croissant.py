"""A data set's card in Croissant 1.0, JSON-LD that catalogues and loaders of data sets read. Pure.

The vocabulary: https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from coordinator.jobs.detect import Detected
from coordinator.jobs.table_summary import Column

PATH: Final = "croissant.json"
MEDIA_TYPE: Final = "application/ld+json"

_FILE: Final = "file"
_ROWS: Final = "rows"

# As in the specification, term by term: validators compare it.
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_ENCODING_FORMATS: Final = {
    "jsonl": "application/jsonlines",
    "json": "application/json",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/x-parquet",
    "text": "text/plain",
}
_PACKED_FORMATS: Final = {"gzip": "application/gzip", "zstd": "application/zstd"}
_DATA_TYPES: Final = (
    (re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|BIGNUM"), "sc:Integer"),
    (re.compile(r"FLOAT|DOUBLE|DECIMAL\(.*\)"), "sc:Float"),
    (re.compile(r"BOOLEAN"), "sc:Boolean"),
    (re.compile(r"DATE"), "sc:Date"),
    (re.compile(r"TIMESTAMP.*"), "sc:DateTime"),
    (re.compile(r"TIME( .*|_NS)?"), "sc:Time"),
)
_LIST: Final = re.compile(r"\[\d*\]$")
_UNCLEAN: Final = re.compile(r"[^A-Za-z0-9._-]+")
_ID: Final = 100


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a card says of a file, past its columns."""

    file_name: str
    size_bytes: int
    content_url: str
    detected: Detected
    sha256: str | None = None
    """Of the whole object, in hex."""

    root: str | None = None
    """Base64 of the SHA-256 over the SHA-256s of its chunks, and ``-`` with their number."""

    rows: int | None = None
    description: str | None = None
    license: str | None = None


def card(described: Described, columns: Sequence[Column]) -> dict[str, Any]:
    """Write the card of one file; without columns it has no record set.

    Croissant wants a file's checksum unless the data set is called live. Of an object whose
    SHA-256 nobody knows it is called so, and the description has what is known.
    """
    found: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": described.file_name,
        "description": described.description or _in_words(described, columns),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
    }
    if described.license:
        found["license"] = described.license
    if described.sha256 is None:
        found["isLiveDataset"] = True
    found["distribution"] = [_file(described)]
    if columns:
        found["recordSet"] = [_record_set(described, columns)]
    return found


def _in_words(described: Described, columns: Sequence[Column]) -> str:
    held = f"{described.size_bytes} bytes"
    if columns:
        held = f"{described.rows or 0} rows of {len(columns)} columns"
    return f"{held}, found in the file {described.file_name}."


def _file(described: Described) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@type": "cr:FileObject",
        "@id": _FILE,
        "name": described.file_name,
        "contentUrl": described.content_url,
        "contentSize": f"{described.size_bytes} B",
        "encodingFormat": _encoding_format(described.detected),
    }
    if described.root:
        found["description"] = f"SHA-256 over the SHA-256s of its chunks: {described.root}"
    if described.sha256:
        found["sha256"] = described.sha256
    return found


def _encoding_format(detected: Detected) -> str | list[str]:
    """Name the format that readers unpack to, and first what it is packed in."""
    inner = _ENCODING_FORMATS.get(detected.format, "application/octet-stream")
    outer = _PACKED_FORMATS.get(detected.compression or "")
    return [outer, inner] if outer else inner


def _record_set(described: Described, columns: Sequence[Column]) -> dict[str, Any]:
    """Describe the columns. One without a name is only counted: nothing can point at it."""
    named = [column for column in columns if column.name]
    is_text = described.detected.format == "text"
    description = f"{described.rows or 0} rows."
    if len(named) < len(columns):
        description += " A column without a name is left out."
    return {
        "@type": "cr:RecordSet",
        "@id": _ROWS,
        "name": _ROWS,
        "description": description,
        "field": [
            _field(column, f"{_ROWS}/{each}", is_text=is_text)
            for column, each in zip(named, _ids(named), strict=True)
        ],
    }


def _field(column: Column, field_id: str, *, is_text: bool) -> dict[str, Any]:
    element = _LIST.sub("", column.type)
    extract = {"fileProperty": "lines"} if is_text else {"column": column.name}
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": field_id,
        "name": column.name,
        "dataType": _data_type(element),
        "source": {"fileObject": {"@id": _FILE}, "extract": extract},
    }
    if element != column.type:
        found["repeated"] = True
    return found


def _data_type(kind: str) -> str:
    """Say what DuckDB's type is here; what has no type of its own is text."""
    return next((name for shape, name in _DATA_TYPES if shape.fullmatch(kind)), "sc:Text")


def _ids(columns: Sequence[Column]) -> list[str]:
    """Make of each name an id that an address can hold, no two of them alike.

    >>> _ids([Column(name=name, type="JSON") for name in ("a b", "a/b", "a_b_1", "é")])
    ['a_b', 'a_b_1', 'a_b_1_1', '_']

    """
    found: dict[str, None] = {}
    seen: Counter[str] = Counter()
    for column in columns:
        unique = wanted = _UNCLEAN.sub("_", column.name)[:_ID]
        while unique in found:
            seen[wanted] += 1
            unique = f"{wanted}_{seen[wanted]}"
        found[unique] = None
    return list(found)
