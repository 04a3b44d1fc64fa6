"""Which media types fit, and what contradicts them: the name, and the first bytes."""

import gzip
import io
import json
import zipfile
from typing import Final

import pytest

from coordinator.domain.errors import TypeNotAllowedError
from coordinator.domain.file_types import (
    UNKNOWN,
    canonical,
    check_declared,
    contradicts,
    is_allowed,
    type_against,
    type_of,
)
from coordinator.domain.quotas import Quotas, TypeCheck

_PARQUET: Final = "application/vnd.apache.parquet"


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    return buffer.getvalue()


_PE: Final = (
    b"MZ\x90\x00" + bytes(56) + (128).to_bytes(4, "little") + bytes(64) + b"PE\x00\x00L\x01"
)
_HEADS: Final = {
    "csv": (b"id,name\n1,Zo\xc3\xab\n", "text/plain"),
    "json": (json.dumps({"a": 1}).encode(), "text/plain"),
    "words that are magic numbers": (b"ORCHIDS,BZhang,GIF8\n1,2,3\n", "text/plain"),
    "utf-16": ("größe,name\n".encode("utf-16"), "text/plain"),
    "latin-1": ("größe,name\n".encode("latin-1"), "text/plain"),
    "cut in the middle of a letter": (("é" * 8).encode()[:-1], "text/plain"),
    "parquet": (b"PAR1\x15\x04\x15\x20\x15\x24L\x15\x04", _PARQUET),
    "zip": (_zip(), "application/zip"),
    "gzip": (gzip.compress(b"a,b\n"), "application/gzip"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00", "application/zstd"),
    "zstd with a frame to skip": (b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd", "application/zstd"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
    "elf": (b"\x7fELF\x02\x01\x01" + bytes(9), "application/x-executable"),
    "exe": (_PE, "application/vnd.microsoft.portable-executable"),
    "pdf": (b"%PDF-1.7\n1 0 obj\n", "application/pdf"),
    "pdf with something in front": (b"\x00\x01junk\n%PDF-1.7\n\xe2\xe3", "application/pdf"),
    "text that mentions pdf": (b"magic,type\n%PDF-,pdf\n", "text/plain"),
    "MZ and nothing of an executable": (b"MZ\x01\x02\x03\x04\x05\x06" * 20, None),
    "noise": (bytes(range(128, 256)) + bytes(range(1, 32)), None),
}


@pytest.mark.parametrize(("head", "found"), _HEADS.values(), ids=_HEADS.keys())
def test_first_bytes_say_what_they_say_for_sure(head: bytes, found: str | None) -> None:
    """A wrong answer fails a good upload for ever, so text that looks like magic is text."""
    assert type_of(head) == found


@pytest.mark.parametrize(
    ("declared", "name", "said"),
    [
        ("text/csv", "a.csv", None),
        ("text/plain", "a.csv", None),
        ("TEXT/CSV; charset=utf-8", "A.CSV", None),
        ("application/vnd.ms-excel", "a.csv", None),  # Windows' browsers
        ("application/json", "a.jsonl", None),
        ("application/x-ndjson", "a.jsonl", None),
        ("text/csv", "a.csv.gz", None),
        ("application/gzip", "a.csv.gz", None),
        ("application/x-tar", "a.tgz", None),
        ("", "a.exe", None),
        (UNKNOWN, "a.parquet", None),
        ("application/x-of-mine", "a.csv", None),
        ("text/csv", "a.of-mine", None),
        ("text/csv", "data", None),
        ("text/csv", ".csv", None),
        ("image/svg+xml", "a.xml", "application/xml"),
        ("text/csv", "a.json", "application/json"),
        ("text/csv", "a.exe", "application/vnd.microsoft.portable-executable"),
        ("image/png", "a.txt", "text/plain"),
        ("image/png", "a.csv.gz", "application/gzip"),
        ("application/zip", "a.parquet", _PARQUET),
        ("image/jpg", "a.png", "image/png"),
    ],
)
def test_a_name_contradicts_only_what_is_known(declared: str, name: str, said: str | None) -> None:
    """Browsers send all sorts of types: what the table does not know passes."""
    assert type_against(declared, name) == said


@pytest.mark.parametrize(
    ("declared", "name", "detected", "is_wrong"),
    [
        ("text/csv", "a.csv", "text/plain", False),
        ("text/csv", "a.csv", UNKNOWN, False),
        ("text/csv", "a.csv", "application/zip", True),
        ("application/json", "a.json", "image/png", True),
        ("application/problem+json", "a", "application/x-executable", True),
        ("text/csv", "a.csv.gz", "application/gzip", False),
        ("text/csv", "a.csv.gz", "application/zip", True),
        ("application/x-parquet", "a", _PARQUET, False),
        (_PARQUET, "a", "text/plain", True),
        (_PARQUET, "a", UNKNOWN, True),
        ("application/gzip", "a.gz", UNKNOWN, True),
        ("application/x-gzip", "a.gz", "application/gzip", False),
        ("application/x-tar", "a.tar.gz", "application/gzip", False),
        ("application/pdf", "a.pdf", UNKNOWN, False),
        ("", "a.csv", "application/x-executable", False),
        ("application/x-of-mine", "a", "application/zip", False),
    ],
)
def test_first_bytes_contradict_only_what_is_known(
    declared: str, name: str, detected: str, *, is_wrong: bool
) -> None:
    """Of what must begin with a magic number, none is a contradiction as well."""
    assert contradicts(declared, name, detected) is is_wrong


@pytest.mark.parametrize(
    ("declared", "patterns", "fits"),
    [
        ("text/csv", ["text/*"], True),
        ("Text/CSV;header=present", ["text/csv"], True),
        ("application/x-ndjson", ["application/jsonl"], True),
        ("application/jsonl", ["application/x-ndjson"], True),
        ("text/tsv", ["text/tab-separated-values"], True),
        ("anything/at-all", ["*/*"], True),
        ("text/csv", [], False),
        ("textual/csv", ["text/*"], False),
        ("application/octet-stream", ["text/*", "image/*"], False),
    ],
)
def test_patterns_let_in_what_they_name(declared: str, patterns: list[str], *, fits: bool) -> None:
    """Parameters and the case of letters are nothing; other names of a type are the type."""
    assert is_allowed(declared, patterns) is fits


def test_only_who_refuses_contradictions_refuses_them() -> None:
    """The refusal names both, in words of ours."""
    for check in (TypeCheck.OFF, TypeCheck.NOTE):
        check_declared(Quotas(type_check=check), "text/x-csv", "a.png")

    with pytest.raises(TypeNotAllowedError) as refusal:
        check_declared(Quotas(type_check=TypeCheck.REFUSE), "text/x-csv", "a.png")

    assert refusal.value.facts == {
        "field": "fileType",
        "declared": "text/csv",
        "found": "image/png",
    }


def test_what_was_sent_is_not_repeated() -> None:
    """Neither a type that nobody knows nor a name stands in the answer."""
    with pytest.raises(TypeNotAllowedError) as refusal:
        check_declared(Quotas(type_check=TypeCheck.REFUSE), "text/x-sent-by-client", "evil.png")
    with pytest.raises(TypeNotAllowedError) as unlisted:
        check_declared(Quotas(file_types=["image/*"]), "text/x-sent-by-client", "evil.png")

    for each in (refusal.value, unlisted.value):
        assert "client" not in f"{each.detail}{each.facts}"
        assert "evil" not in f"{each.detail}{each.facts}"
    assert unlisted.value.facts["allowed"] == ["image/*"]


def test_nothing_declared_is_a_type_of_its_own() -> None:
    """An empty type is what browsers send for files that they do not know."""
    assert canonical("") == canonical(" ; x=y") == UNKNOWN
