"""The job against real objects: planted bad rows are found, and no schema or file harms it."""

import gzip
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from coordinator.domain.job_parameters import ValidateSchema
from coordinator.domain.kinds import Kind
from coordinator.jobs import validate_schema
from coordinator.jobs.object_reader import ObjectSource
from coordinator.jobs.workspace import Workspace

Put = Callable[[bytes], ObjectSource]
MakeWorkspace = Callable[..., Workspace]
Validate = Callable[..., dict[str, Any]]

_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "id": {"$ref": "#/$defs/id"},
        "score": {"type": ["number", "null"], "maximum": 1},
        "name": {"type": "string", "minLength": 1},
        "ok": {"type": "boolean"},
    },
    "required": ["id"],
    "$defs": {"id": {"type": "integer", "minimum": 0}},
}


@pytest.fixture
def validate(put: Put, workspace: MakeWorkspace) -> Validate:
    """Run the job over bytes, and see that its result is JSON."""

    def validate(body: bytes, name: str, schema: object = "auto-detect") -> dict[str, Any]:
        work = workspace(put(body), Kind.VALIDATE_SCHEMA, file_name=name)
        parameters = msgspec.convert({"schema": schema}, ValidateSchema)
        outcome = validate_schema.run(work, parameters)
        found: dict[str, Any] = json.loads(json.dumps(outcome.result, allow_nan=False))
        assert outcome.rows == found["rows"]
        return found

    return validate


def lines(table: Sequence[object]) -> bytes:
    """Write JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in table)


def table(bad: Sequence[int], count: int) -> list[dict[str, Any]]:
    """Make rows of which some have a bad score."""
    return [
        {"id": i, "score": 7.5 if i in bad else None if i % 3 else 0.5, "name": "x", "ok": True}
        for i in range(count)
    ]


def written(rows: list[dict[str, Any]], name: str) -> bytes:
    """Write rows in the format, and with the packing, that a name asks for."""
    if name == "a.parquet":
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=70)
        return file.getvalue()
    if ".csv" in name or ".tsv" in name:
        cells = [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
        body = "\n".join([",".join(rows[0]), *cells]).encode()
        body = body.replace(b",", b"\t") if ".tsv" in name else body
    else:
        body = json.dumps(rows).encode() if ".json." in f"{name}." else lines(rows)
    if name.endswith(".gz"):
        return gzip.compress(body, mtime=0)
    return zstandard.compress(body) if name.endswith(".zst") else body


@pytest.mark.parametrize(
    "name",
    [
        "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.json", "a.json.gz", "a.json.zst",
        "a.csv", "a.csv.gz", "a.csv.zst", "a.tsv", "a.tsv.gz", "a.tsv.zst", "a.parquet",
    ],
)  # fmt: skip
def test_planted_rows_are_found_in_every_format(validate: Validate, name: str) -> None:
    """A row's place is its place in the whole file, and values of csv have the schema's types."""
    bad = [0, 69, 70, 199]

    found = validate(written(table(bad, 200), name), name, _SCHEMA)

    assert found == {
        "status": "done",
        "reason": None,
        "detail": None,
        "format": name.split(".")[1],
        "rows": 200,
        "validRows": 196,
        "invalidRows": 4,
        "brokenRows": 0,
        "badRows": [
            {
                "row": row,
                "pointer": "/score",
                "message": "the value is greater than the maximum of 1",
                "keyword": "maximum",
                "broken": None,
            }
            for row in bad
        ],
        "schema": None,
        "schemaArtifact": None,
        "inferredFromRows": None,
    }


def test_rows_of_later_pieces_are_numbered_over_the_whole_file(validate: Validate) -> None:
    """Pieces are read by themselves, elsewhere perhaps, and know nothing of each other."""
    row = b'{"id": 1, "name": "' + b"x" * 1000 + b'"}\n'
    bad = b'{"id": -1}\n'

    found = validate(row * 20_000 + bad + row * 20_000 + bad, "a.jsonl", _SCHEMA)

    assert (found["rows"], found["validRows"], found["invalidRows"]) == (40_002, 40_000, 2)
    assert [(each["row"], each["pointer"]) for each in found["badRows"]] == [
        (20_000, "/id"),
        (40_001, "/id"),
    ]


def test_broken_rows_are_counted_apart(validate: Validate) -> None:
    """They are no rows that a schema could judge."""
    # The first 64 KiB tell the encoding.
    body = (
        b'{"id": 1, "pad": "'
        + b"x" * 70_000
        + b'"}\noops\n\n[1]\n{"id": "\xff"}\n{"id": "x"}\n{"name": ""}\n'
    )

    found = validate(body, "a.jsonl", _SCHEMA)

    counts = (found["rows"], found["validRows"], found["invalidRows"], found["brokenRows"])
    assert counts == (6, 1, 2, 3)
    assert [(b["row"], b["pointer"], b["keyword"], b["broken"]) for b in found["badRows"]] == [
        (1, "", None, "not-json"),
        (2, "", None, "not-an-object"),
        (3, "", None, "wrong-encoding"),
        (4, "/id", "type", None),
        (5, "", "required", None),
    ]


def test_of_many_bad_rows_the_first_hundred_are_told_and_nothing_of_their_values(
    validate: Validate,
) -> None:
    """The result may be read by people who may not read the data."""
    rows = [{"id": f"secret-{i}", "name": "secret"} for i in range(300)]

    found = validate(lines(rows), "a.jsonl", _SCHEMA)

    assert (found["invalidRows"], len(found["badRows"])) == (300, 100)
    assert "secret" not in json.dumps(found)


def test_pointers_are_escaped_and_bounded(validate: Validate) -> None:
    """Names come out of the file, too."""
    schema = {"additionalProperties": {"additionalProperties": {"type": "integer"}}}
    rows = [{"a/b~c": {"0": "x"}}, {"a": {"y" * 5000: "x"}}]

    found = validate(lines(rows), "a.jsonl", schema)

    assert found["badRows"][0]["pointer"] == "/a~1b~0c/0"
    assert found["badRows"][1]["pointer"] == "/a/" + "y" * 197


def test_what_came_before_the_damage_is_validated(validate: Validate) -> None:
    """A file that was cut off is told as such, with all that could still be read."""
    body = gzip.compress(lines(table([3], 100_000)), mtime=0)

    found = validate(body[: len(body) // 2], "a.jsonl.gz", _SCHEMA)

    assert (found["status"], found["reason"]) == ("partial", "damaged")
    assert found["rows"] > 10_000
    assert found["badRows"][0]["row"] == 3


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("a.jsonl", b"", "empty"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("a.csv.zst", zstandard.compress(b""), "empty"),
        ("a.txt", b"some words\nand more\n", "not-a-table"),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n", "not-a-table"),
        ("a.parquet", b"PAR1" + b"x" * 500, "damaged"),
        ("a.parquet.gz", gzip.compress(b"PAR1" + b"x" * 500, mtime=0), "compression-not-read"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd\x00\x00", "damaged"),
        ("a.jsonl.gz", b"\x1f\x8b" + b"x" * 99, "damaged"),
        ("a.json", b'[{"a": 1}, ', "damaged"),
    ],
)
@pytest.mark.parametrize("schema", ["auto-detect", True])
def test_what_has_no_rows_is_skipped(
    validate: Validate, name: str, body: bytes, reason: str, schema: object
) -> None:
    """A job that raised would be tried again and again on the same bytes."""
    found = validate(body, name, schema)

    if name == "a.json":  # one row was there
        assert (found["status"], found["reason"], found["rows"]) == ("partial", reason, 1)
    else:
        assert (found["status"], found["reason"], found["rows"]) == ("skipped", reason, 0)
    assert found["detail"]


def test_a_header_alone_is_a_table_without_rows(validate: Validate) -> None:
    """Nothing is wrong with it."""
    found = validate(b"a,b\n", "a.csv", _SCHEMA)

    assert (found["status"], found["rows"], found["badRows"]) == ("done", 0, [])
