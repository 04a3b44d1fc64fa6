"""Hostile schemas, and columns of text: what a schema may not do, and how it reads csv."""

import socket
import time
from typing import Any, Final

import msgspec
import pytest

from coordinator.domain.job_parameters import ValidateSchema
from coordinator.domain.json_schemas import SchemaError, compiled
from coordinator.domain.kinds import Kind
from coordinator.domain.schema_cost import DEEPEST, deepest_row
from coordinator.jobs import validate_schema
from coordinator.jobs.schema_columns import reader_of
from tests.jobs.conftest import MakeWorkspace, Put

_TREE: Final[dict[str, Any]] = {
    "$id": "https://example.org/tree",
    "properties": {
        "value": {"type": "integer"},
        "children": {"type": "array", "items": {"$ref": "#"}},
    },
}


def usable(schema: object) -> str | None:
    """Return the reason why a schema is refused."""
    try:
        compiled(msgspec.json.encode(schema).decode())
    except SchemaError as exc:
        return exc.reason if 0 < len(exc.detail) <= 200 else "no detail"
    return None


def doubling(steps: int) -> dict[str, Any]:
    """Make a schema that doubles its work at every step."""
    parts: dict[str, Any] = {"a0": {"type": "integer"}}
    for step in range(1, steps + 1):
        parts[f"a{step}"] = {"anyOf": [{"$ref": f"#/$defs/a{step - 1}"}] * 2}
    return {"$defs": parts, "$ref": f"#/$defs/a{steps}"}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"$schema": "http://127.0.0.1:9/meta"},
        {"$ref": "other.json"},
        {"$ref": "#/$defs/none"},
        {"type": "nonsense"},
        {"pattern": "("},
        {"pattern": "^(?=a)b"},
        {"pattern": r"(a)\1"},
        {"pattern": "((a{500}){500}){500}"},
    ],
)
def test_a_schema_that_cannot_be_used_skips_the_job(
    put: Put, workspace: MakeWorkspace, schema: dict[str, Any]
) -> None:
    """Nothing is fetched, from nowhere: the schema is a stranger's."""
    work = workspace(put(b'{"a": 1}\n'), Kind.VALIDATE_SCHEMA)

    found = validate_schema.run(work, ValidateSchema(schema=schema)).result

    assert found["status"] == "skipped"
    assert found["reason"] == "schema-invalid"
    assert found["detail"]


def test_no_socket_is_opened_for_a_reference() -> None:
    """The engine could fetch past all that Python sees; so a listener watches."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        port = listener.getsockname()[1]

        reasons = [
            usable({"$ref": f"http://127.0.0.1:{port}/a.json"}),
            usable({"$schema": f"http://127.0.0.1:{port}/a.json"}),
        ]

        with pytest.raises(TimeoutError):
            listener.accept()
    assert reasons == ["schema-invalid", "schema-invalid"]


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_patterns_take_time_in_proportion_to_the_text(
    put: Put, workspace: MakeWorkspace, pattern: str
) -> None:
    """Engines that go back and try again need longer than the universe for these."""
    body = b'{"a": "' + b"a" * 100_000 + b'!"}\n'
    work = workspace(put(body), Kind.VALIDATE_SCHEMA)
    schema = {"properties": {"a": {"pattern": pattern}}}
    start = time.perf_counter()

    found = validate_schema.run(work, ValidateSchema(schema=schema)).result

    assert (found["invalidRows"], found["badRows"][0]["keyword"]) == (1, "pattern")
    assert time.perf_counter() - start < 10


def test_a_schema_of_many_parts_is_no_problem(put: Put, workspace: MakeWorkspace) -> None:
    """As large as parameters may be, and larger."""
    column = {"type": "string", "pattern": "^[a-z]{1,9}$"}
    schema = {"properties": {f"p{i}": column for i in range(20_000)}}
    work = workspace(put(b'{"p7": "x", "p8": "X"}\n'), Kind.VALIDATE_SCHEMA)

    found = validate_schema.run(work, ValidateSchema(schema=schema)).result

    assert [bad["pointer"] for bad in found["badRows"]] == ["/p8"]


def test_work_that_doubles_at_every_step_is_refused() -> None:
    """Thirty lines would keep a core busy for a minute a row, where nothing can be interrupted."""
    assert usable(doubling(10)) is None
    assert usable(doubling(25)) == "schema-too-much"


def test_a_tree_may_be_as_deep_as_any_schema_allows() -> None:
    """References in circles are how trees are described."""
    assert deepest_row(_TREE) == DEEPEST
    assert deepest_row({"type": "object", "properties": {"a": True}}) is None
    assert deepest_row({"$ref": "#"}) == DEEPEST


def test_a_tree_that_is_walked_twice_at_every_step_may_not_be_deep(
    put: Put, workspace: MakeWorkspace
) -> None:
    """The work doubles with the row's depth here; rows so deep are told, not tried."""
    again = {"properties": {"a": {"$ref": "#"}}, "required": ["x"]}
    schema = {"anyOf": [again, again]}
    deep = b'{"a": ' * 40 + b"1" + b"}" * 40 + b"\n"
    work = workspace(put(b'{"x": 1}\n' + deep), Kind.VALIDATE_SCHEMA)
    start = time.perf_counter()

    found = validate_schema.run(work, ValidateSchema(schema=schema)).result

    assert (found["validRows"], found["badRows"][0]["keyword"]) == (1, "depth")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("reference", "is_costly"),
    [
        ("#/$defs/costly", True),
        ("#costly", True),
        ("https://example.org/root#costly", True),
        ("part", True),
        ("https://example.org/part", True),
        ("#/%24defs/costly", True),
        ("#/$defs/cheap", False),
        ("https://json-schema.org/draft/2020-12/schema", False),
    ],
)
def test_work_is_counted_through_every_way_to_refer(reference: str, is_costly: bool) -> None:  # noqa: FBT001
    """What the count does not see would be the way around it."""
    costly = {**doubling(20), "$anchor": "costly"}
    schema = {
        "$id": "https://example.org/root",
        "$defs": {
            **costly.pop("$defs"),
            "costly": costly,
            "part": {"$id": "part", "$ref": "root#costly"},
            "cheap": {"type": "integer"},
        },
        "properties": {"a": {"$ref": reference}},
    }

    assert usable(schema) == ("schema-too-much" if is_costly else None)


def test_columns_of_text_are_read_as_the_schema_wants_them() -> None:
    """What does not fit stays the text that it is, so that the schema can say so."""
    types: dict[str, object] = {
        "i": "integer", "f": "number", "b": "boolean", "n": ["integer", "null"], "s": "string",
        "m": ["string", "null"], "l": "array", "i2": "integer", "u": ["string", "integer"],
    }  # fmt: skip
    schema = {"properties": {name: {"type": each} for name, each in types.items()}}
    row: dict[str, Any] = {
        "i": "+07", "f": "1e3", "b": "TRUE", "n": None,
        "s": None, "m": None, "l": "[1]", "i2": "1.5", "u": "7", "other": "7",
    }  # fmt: skip

    read = reader_of(schema, has_nulls=False)
    assert read is not None
    read(row)

    assert row == {
        "i": 7, "f": 1000.0, "b": True, "n": None,
        "s": "", "m": None, "l": [1], "i2": "1.5", "u": "7", "other": "7",
    }  # fmt: skip
