"""Schemas that are inferred: from how many rows, of which types, how large."""

import json

import msgspec
import pytest

from coordinator.domain.job_parameters import ValidateSchema
from coordinator.domain.kinds import Kind
from coordinator.jobs import validate_schema
from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.schema_inference import MOST_NAMES
from tests.jobs.conftest import MakeWorkspace, Put

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def validated(
    put: Put, workspace: MakeWorkspace, body: bytes, name: str
) -> validate_schema.Validation:
    """Run the job without a schema."""
    work = workspace(put(body), Kind.VALIDATE_SCHEMA, file_name=name)
    outcome = validate_schema.run(work, ValidateSchema())
    return msgspec.convert(outcome.result, validate_schema.Validation)


def test_a_schema_fits_the_rows_that_it_was_inferred_from(
    put: Put, workspace: MakeWorkspace
) -> None:
    """The whole of it, once."""
    body = b'{"n": 1, "s": "x", "l": [1.5]}\n{"n": 2.5, "s": null, "o": {"k": true}}\nbroken\n'

    found = validated(put, workspace, body, "a.jsonl")

    assert (found.status, found.valid_rows, found.broken_rows) == ("done", 2, 1)
    assert found.inferred_from_rows == 2
    assert found.schema == {
        "$schema": _DIALECT,
        "type": "object",
        "properties": {
            "n": {"type": "number"},
            "s": {"type": ["null", "string"]},
            "l": {"type": "array", "items": {"type": "number"}},
            "o": {
                "type": "object",
                "properties": {"k": {"type": "boolean"}},
                "required": ["k"],
            },
        },
        "required": ["n", "s"],
    }


def test_columns_of_csv_have_the_types_that_their_values_spell(
    put: Put, workspace: MakeWorkspace
) -> None:
    """007 is nobody's number, and one word makes a column text."""
    body = b"i,f,b,z,m,e\n1,0.5,true,007,1,\n-2,3,false,1,x,\n,1e400,true,2,true,\n"

    found = validated(put, workspace, body, "a.csv")

    assert found.schema is not None
    types = {name: each["type"] for name, each in found.schema["properties"].items()}
    assert (found.valid_rows, found.invalid_rows, found.broken_rows) == (3, 0, 0)
    assert types == {
        "i": ["integer", "null"],
        "f": "string",
        "b": "boolean",
        "z": "string",
        "m": "string",
        "e": "null",
    }


def test_rows_behind_the_sample_are_validated_by_it(put: Put, workspace: MakeWorkspace) -> None:
    """Whoever reads the schema must know how many rows it stands for."""
    body = b'{"a": 1}\n' * 120_000 + b'{"a": "x"}\n{"b": 1}\n'

    found = validated(put, workspace, body, "a.jsonl")

    assert (found.inferred_from_rows, found.valid_rows, found.invalid_rows) == (100_000, 120_000, 2)
    assert [(bad.row, bad.keyword) for bad in found.bad_rows] == [
        (120_000, "type"),
        (120_001, "required"),
    ]


def test_a_sample_may_take_several_pieces(put: Put, workspace: MakeWorkspace) -> None:
    """Rows of a kilobyte: a hundred thousand of them are in no one piece."""
    row = b'{"a": 1, "t": "' + b"x" * 1000 + b'"}\n'

    found = validated(put, workspace, row * 30_000 + row.replace(b"1", b"null"), "a.jsonl")

    assert found.schema is not None
    assert (found.inferred_from_rows, found.valid_rows) == (30_001, 30_001)
    assert found.schema["properties"]["a"] == {"type": ["integer", "null"]}


def test_a_large_schema_is_an_artifact(put: Put, workspace: MakeWorkspace) -> None:
    """Results are read as a whole, so they stay small."""
    wide = {f"column {i}": i for i in range(5000)}
    work = workspace(put(json.dumps(wide).encode()), Kind.VALIDATE_SCHEMA, file_name="a.jsonl")

    outcome = validate_schema.run(work, ValidateSchema())

    (stored,) = work.written
    content = ObjectReader(
        msgspec.structs.replace(work.source, key=stored.key, size=stored.size_bytes)
    )
    schema = json.loads(content.read(0, stored.size_bytes))
    assert outcome.result["schema"] is None
    assert outcome.result["schemaArtifact"] == work.path_of(stored) == "schema.json"
    assert list(schema["properties"]) == list(wide)


@pytest.mark.parametrize("row", ["{%s}", '{"deep": {%s}}'])
def test_names_without_end_give_no_schema(put: Put, workspace: MakeWorkspace, row: str) -> None:
    """Each would take a kilobyte of memory, and a schema of them would say nothing."""
    body = "".join(row % f'"name {i}": 1' + "\n" for i in range(MOST_NAMES + 50))

    found = validated(put, workspace, body.encode(), "a.jsonl")

    assert (found.status, found.reason) == ("partial", "too-many-names")
    assert (found.schema, found.schema_artifact) == (None, None)
    assert found.valid_rows == MOST_NAMES + 50


def test_rows_that_are_nested_too_deep_have_no_part_in_a_schema(
    put: Put, workspace: MakeWorkspace
) -> None:
    """A schema as deep as they are could be used by nobody."""
    deep = b'{"a": ' + b'{"a": ' * 150 + b"1" + b"}" * 151 + b"\n"

    found = validated(put, workspace, b'{"a": 1}\n' + deep, "a.jsonl")

    assert (found.inferred_from_rows, found.valid_rows, found.invalid_rows) == (1, 1, 1)


def test_the_same_object_gives_the_same_bytes(put: Put, workspace: MakeWorkspace) -> None:
    """A job may run twice; its result must not tell."""
    rows = [{f"k{i * 7919 % 97}": i, "x": "y" if i % 9 else None} for i in range(2000)]
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows) + b"broken\n"

    first, second = (
        msgspec.json.encode(validated(put, workspace, body, "a.jsonl")) for _ in range(2)
    )

    assert first == second
