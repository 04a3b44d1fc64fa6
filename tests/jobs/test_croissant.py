"""Cards are read by mlcroissant, which fetches nothing to validate them."""

import hashlib
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlcroissant
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.domain.job_parameters import GenerateMetadata
from coordinator.jobs.croissant import Described, card
from coordinator.jobs.detect import Detected
from coordinator.jobs.generate_metadata import run
from coordinator.jobs.table_summary import Column
from tests.jobs.conftest import MakeWorkspace, Put, made

_HOSTILE = [
    "a", "a b", "a/b", "'\"", "😀", "@id", "@type", "http://x/y", "_:b", "\x00\x01", "\n", " ", "é",
    "a" * 500, "<b>", "$.x", "\u202e", "%", "\\", "#", "?", "cr:column", "rows/a", "a_b", "a b_1",
]  # fmt: skip


# rdflib warns of itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@contextmanager
def unreachable() -> Iterator[None]:
    """Let nothing be looked up or fetched, and nothing be said of what is only recommended."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", refuse)
        patched.setattr(socket.socket, "connect", refuse)
        logging.getLogger("absl").setLevel(logging.ERROR)
        yield


def described(**changes: Any) -> Described:
    """Describe a file whose SHA-256 is known."""
    known = {
        "file_name": "a.jsonl",
        "size_bytes": 12,
        "content_url": "s3://bucket/a.jsonl",
        "detected": Detected(format="jsonl", basis="content"),
        "sha256": "0" * 64,
        "root": "AAAA-2",
        "rows": 3,
    }
    return Described(**{**known, **changes})


def read(found: dict[str, Any]) -> Any:
    """Let mlcroissant read what was written; it raises where the card is wrong."""
    with unreachable():
        dataset: Any = mlcroissant.Dataset(jsonld=json.loads(json.dumps(found)))
    assert not dataset.metadata.ctx.issues.errors
    return dataset.metadata


def test_columns_become_fields_with_types() -> None:
    """DuckDB's types, as far as the vocabulary goes."""
    kinds = {
        "BIGINT": "Integer",
        "HUGEINT": "Integer",
        "UTINYINT": "Integer",
        "DOUBLE": "Float",
        "DECIMAL(5,2)": "Float",
        "BOOLEAN": "Boolean",
        "DATE": "Date",
        "TIMESTAMP": "DateTime",
        "TIMESTAMP WITH TIME ZONE": "DateTime",
        "TIMESTAMP_NS": "DateTime",
        "TIME": "Time",
        "VARCHAR": "Text",
        "JSON": "Text",
        "STRUCT(a BIGINT)": "Text",
        "ENUM('BIGINT')": "Text",
        "BIGINT[]": "Integer",
        "DOUBLE[3]": "Float",
    }

    metadata = read(card(described(), [Column(name=kind, type=kind) for kind in kinds]))

    (record_set,) = metadata.record_sets
    found = {field.name: field for field in record_set.fields}
    assert {
        name: field.data_types[0].removeprefix("https://schema.org/")
        for name, field in found.items()
    } == kinds
    assert [name for name, field in found.items() if field.repeated] == ["BIGINT[]", "DOUBLE[3]"]


def test_a_card_says_what_is_known_of_the_file() -> None:
    """And who may do what with it, where that was told."""
    metadata = read(card(described(license="MIT", description="Words."), []))

    (file,) = metadata.distribution
    assert (metadata.name, metadata.description, metadata.license) == ("a.jsonl", "Words.", ["MIT"])
    assert (file.content_url, file.content_size) == ("s3://bucket/a.jsonl", "12 B")
    assert (file.sha256, file.encoding_formats) == ("0" * 64, ["application/jsonlines"])
    assert file.description == "SHA-256 over the SHA-256s of its chunks: AAAA-2"
    assert metadata.record_sets == []


def test_without_a_checksum_a_card_is_valid_too() -> None:
    """Of a long object nobody may know one, past that of its chunks."""
    found = card(described(sha256=None), [Column(name="a", type="BIGINT")])

    assert "AAAA-2" in read(found).distribution[0].description
    assert "sha256" not in json.dumps(found["distribution"])


@pytest.mark.parametrize(
    ("compression", "formats"),
    [("gzip", ["application/gzip", "text/csv"]), ("zstd", ["application/zstd", "text/csv"])],
)
def test_packed_files_say_so(compression: str, formats: list[str]) -> None:
    """What is inside comes second, as it is met."""
    detected = Detected(format="csv", compression=compression, basis="content")

    (file,) = read(card(described(detected=detected), [])).distribution

    assert file.encoding_formats == formats


def test_hostile_names_are_kept() -> None:
    """A field points at its column by the name as it is; ids are made from it."""
    metadata = read(card(described(), [Column(name=n, type="BIGINT") for n in _HOSTILE]))

    (record_set,) = metadata.record_sets
    assert [field.name for field in record_set.fields] == _HOSTILE
    assert [field.source.extract.column for field in record_set.fields] == _HOSTILE
    assert len({field.uuid for field in record_set.fields}) == len(_HOSTILE)


def test_a_column_without_a_name_is_only_mentioned() -> None:
    """Nothing can point at it, and a field that points nowhere spoils the others."""
    columns = [Column(name=name, type="BIGINT") for name in ("a", "")]

    (record_set,) = read(card(described(), columns)).record_sets

    assert [field.name for field in record_set.fields] == ["a"]
    assert record_set.description == "3 rows. A column without a name is left out."


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=20), st.lists(st.text(max_size=9), max_size=9, unique=True))
def test_no_name_is_too_strange(file_name: str, names: list[str]) -> None:
    """Whatever people call their columns, the card is valid."""
    found = card(
        described(file_name=file_name or "a"), [Column(name=n, type="VARCHAR") for n in names]
    )

    fields = [field for each in read(found).record_sets for field in each.fields]

    assert [field.name for field in fields] == [name for name in names if name]


def test_the_job_writes_a_card_by_which_the_rows_are_read(
    put: Put, workspace: MakeWorkspace, tmp_path: Path
) -> None:
    """The sums are right and the columns are found: mlcroissant reads the file through it."""
    body = b'{"a": 1, "b c": "x"}\n{"a": 2, "b c": "\xc3\xa9"}\n'
    source = put(body)
    works = [workspace(source, file_name="data.jsonl") for _ in "ab"]

    outcomes = [run(work, GenerateMetadata(license="MIT")) for work in works]

    files = [made(work, source) for work in works]
    assert files[0] == files[1]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].result["artifacts"] == ("croissant.json",)
    assert (outcomes[0].rows, outcomes[0].result["status"]) == (2, "analyzed")
    found = json.loads(files[0]["croissant.json"])
    (file,) = found["distribution"]
    assert file["sha256"] == hashlib.sha256(body).hexdigest()
    assert file["contentUrl"] == f"s3://{source.bucket}/{source.key}"
    (tmp_path / "data.jsonl").write_bytes(body)
    dataset: Any = mlcroissant.Dataset(jsonld=found, mapping={"file": tmp_path / "data.jsonl"})
    assert list(dataset.records("rows")) == [
        {"rows/a": 1, "rows/b_c": b"x"},
        {"rows/a": 2, "rows/b_c": "é".encode()},
    ]


@pytest.mark.parametrize(
    ("name", "body", "columns"),
    [
        ("a.bin", bytes(range(256)) * 9, []),
        ("a.txt", b"one\ntwo\n", ["text"]),
        ("a.jsonl", b"", []),
    ],
)
def test_what_is_no_table_has_a_card_too(
    put: Put, workspace: MakeWorkspace, name: str, body: bytes, columns: list[str]
) -> None:
    """A catalogue lists it, with what little is known."""
    source = put(body)
    work = workspace(source, file_name=name)

    outcome = run(work, GenerateMetadata())

    metadata = read(json.loads(made(work, source)["croissant.json"]))
    assert metadata.distribution[0].sha256 == hashlib.sha256(body).hexdigest()
    assert [f.name for each in metadata.record_sets for f in each.fields] == columns
    assert msgspec.json.decode(msgspec.json.encode(outcome.result))["sizeBytes"] == len(body)
