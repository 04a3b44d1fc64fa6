"""What a file is, told from its first bytes. Pure."""

import gzip

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coordinator.jobs.detect import detect

_ROWS = b'{"a": 1}\n{"a": 2}\n'


@pytest.mark.parametrize(
    ("head", "name", "declared", "format_", "encoding"),
    [
        (_ROWS, "a.jsonl", "application/json", "jsonl", "utf-8"),
        (_ROWS, "a.bin", "", "jsonl", "utf-8"),
        (_ROWS, "a.json", "application/json", "jsonl", "utf-8"),
        (b'{"a": 1}\n', "a.json", "", "json", "utf-8"),
        (b'{"a": 1}\n', "a.jsonl", "", "jsonl", "utf-8"),
        (b'{"a": [\n1,\n2]}', "a", "", "json", "utf-8"),
        (b'broken\n{"a": 1}\n{"a": 2}\n', "a", "", "jsonl", "utf-8"),
        (b'{"a": "' + b"x" * 60_000, "a.jsonl", "", "jsonl", "utf-8"),
        (b"[" * 60_000, "a", "", "json", "utf-8"),
        (b"a,b\n1,2\n", "a", "", "csv", "utf-8"),
        (b"a;b\n1;2\n", "a", "", "csv", "utf-8"),
        (b"a\tb\n1\t2\n", "a", "", "tsv", "utf-8"),
        (b"one\ntwo\n", "a.csv", "", "csv", "utf-8"),
        (b"one\ntwo\n", "a", "text/csv; charset=utf-8", "csv", "utf-8"),
        (b"one, two\nthree\n", "a.txt", "", "text", "utf-8"),
        ("a,b\né,1\n".encode("latin-1"), "a.csv", "", "csv", "latin-1"),
        ("a,b\né,1\n".encode("utf-16"), "a.csv", "", "csv", "utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), "a.csv", "", "csv", "utf-16-be"),
        (b"\xef\xbb\xbf" + _ROWS, "a", "", "jsonl", "utf-8"),
        (b"PAR1\x15\x04", "a.csv", "text/csv", "parquet", None),
        (b"\x89PNG\r\n\x1a\n\x00", "a.jsonl", "", "png", None),
        (b"PK\x03\x04", "a.zip", "", "zip", None),
        (b"%PDF-1.7", "a", "", "pdf", None),
        (bytes(range(256)) * 9, "a.csv", "", "binary", None),
        (b"", "a.csv", "", "empty", None),
    ],
)
def test_content_decides_and_the_name_only_where_content_leaves_it_open(
    head: bytes, name: str, declared: str, format_: str, encoding: str | None
) -> None:
    """A wrong name is common; a wrong first line should not hide a table either."""
    found = detect(head, name, declared)

    assert (found.format, found.encoding) == (format_, encoding)


def test_a_gzip_file_is_named_by_what_is_in_it() -> None:
    """The head of a big gzip file is cut anywhere."""
    packed = gzip.compress(_ROWS * 10_000)

    found = detect(packed[: len(packed) // 2], "a.csv.gz", "")

    assert (found.format, found.compression) == ("jsonl", "gzip")
    assert found.notes == ("Name or declared type say csv, the content is jsonl.",)


def test_a_zstd_file_is_named_by_its_name() -> None:
    """Nothing here can look inside."""
    found = detect(b"\x28\xb5\x2f\xfd\x00\x00", "a.jsonl.zst", "")

    assert (found.format, found.compression, found.basis) == ("jsonl", "zstd", "name")


def test_a_name_that_promises_compression_is_noted_when_it_lies() -> None:
    """Whoever reads the file by its name would fail."""
    found = detect(_ROWS, "a.jsonl.gz", "")

    assert found.notes == ("The name says gzip, but the content is not packed so.",)


@given(st.binary(max_size=2000), st.text(max_size=30), st.text(max_size=30))
@example(head=b"\x1f\x8b", name="", declared="")  # a gzip of which nothing can be unpacked
def test_no_bytes_and_no_name_are_too_strange(head: bytes, name: str, declared: str) -> None:
    """Detection runs on whatever people upload."""
    found = detect(head, name, declared)

    assert (found.format == "empty") == (head == b"")


@given(st.binary(max_size=200))
def test_damaged_gzip_is_still_gzip(rest: bytes) -> None:
    """What is wrong with it shows when it is read whole."""
    assert detect(b"\x1f\x8b" + rest, "a.csv.gz", "").compression == "gzip"
