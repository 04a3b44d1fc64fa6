"""Types of columns depend on the rows alone and lose nothing of them."""

import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from coordinator.jobs.training_notes import Notes, UnfitRowError
from coordinator.jobs.training_types import Layout, Type, layout_of

Row = dict[str, Any]

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
_NAMES = st.sampled_from(["a", "b", "", "x.y", "é\"'"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)
_ROWS = st.lists(st.dictionaries(_NAMES, _VALUES, max_size=4), min_size=1, max_size=8)


def noted(rows: Sequence[Row]) -> Notes:
    """Note rows, which are left as they are."""
    notes = Notes()
    for row in json.loads(json.dumps(rows)):
        notes.note(row)
    return notes


def types(rows: Sequence[Row]) -> dict[str | None, str]:
    """Return each column's type as a short text."""
    return {kind.name: _short(kind) for kind in layout_of(noted(rows)).columns}


def _short(kind: Type) -> str:
    inner = ", ".join(
        f"{each.name}: {_short(each)}" if each.name else _short(each) for each in kind.inner()
    )
    return f"{kind.type}<{inner}>" if inner else kind.type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None], "string"),
        (["x", None], "string"),
        ([True, False], "boolean"),
        ([True, 1], "json"),
        ([1, -1], "int64"),
        ([2**63 - 1, -(2**63)], "int64"),
        ([1, 2**64 - 1], "uint64"),
        ([-1, 2**64 - 1], "json"),
        ([2**64], "json"),
        ([1, 1.5], "float64"),
        ([2**53 + 1, 1.5], "json"),
        ([1e300, -(2**53)], "float64"),
        ([1, "1"], "json"),
        ([[]], "list<string>"),
        ([[1], [None, 2.5]], "list<float64>"),
        ([[1], ["x"]], "list<json>"),
        ([[1], 1], "json"),
        ([{}], "json"),
        ([{"a": 1}, {"b": "x"}], "struct<a: int64, b: string>"),
        ([[{"r": "r", "c": "c"}], [{"c": [1]}]], "list<struct<r: string, c: json>>"),
        ([{f"k{i}": i} for i in range(200)], "json"),
        ([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], "list<" * 15 + "json" + ">" * 15),
    ],
    ids=str,
)  # fmt: skip
def test_a_column_gets_the_one_type_that_holds_all(values: list[Any], expected: str) -> None:
    """JSON text where there is none; and the order of rows does not matter."""
    assert types([{"c": value} for value in values]) == {"c": expected}
    if "struct" not in expected:
        assert types([{"c": value} for value in reversed(values)]) == {"c": expected}


def test_rows_of_too_many_columns_are_text() -> None:
    """A name out of an id is no column."""
    layout = layout_of(noted([{f"k{i}": 1} for i in range(1001)]))

    assert layout == Layout((Type("json", "json"),), is_row=True)
    assert layout.batch([{"k1": 1}]).to_pylist() == [{"json": '{"k1":1}'}]


def test_many_columns_hold_no_columns() -> None:
    """Each of parquet's columns takes memory, used or not."""
    wide = {f"c{i}": {f"m{j}": 1 for j in range(90)} for i in range(30)}

    assert set(types([wide, {"c0": None, "d": 1}]).values()) == {"json", "int64"}


@settings(deadline=None)
@given(_ROWS, st.randoms(use_true_random=False))
def test_types_do_not_depend_on_the_cut(rows: list[Row], chance: random.Random) -> None:
    """Each piece is noted where it is, and the notes are put together."""
    whole, cut = noted(rows), Notes()
    place = 0
    while place < len(rows):
        end = place + chance.randint(1, 3)
        part = msgspec.msgpack.encode(noted(rows[place:end]))
        cut.add(msgspec.msgpack.decode(part, type=Notes))
        place = end

    assert layout_of(cut) == layout_of(whole)


@settings(deadline=None)
@given(_ROWS)
def test_arrays_hold_what_the_rows_held(rows: list[Row]) -> None:
    """As numbers, text, lists and objects where types allow it, else as JSON."""
    layout = layout_of(noted(rows))

    batch = layout.batch(rows)

    assert batch.num_rows == len(rows) or not layout.columns
    for row, found in zip(rows, batch.to_pylist(), strict=False):
        for kind in layout.columns:
            event(kind.type)
            assert kind.name is not None
            assert _same(kind, row.get(kind.name), found[kind.name])


def _same(kind: Type, value: Any, found: Any) -> bool:
    if value is None or found is None:
        return value is None and found is None
    if kind.type == "json":
        return bool(json.loads(found) == value)
    if kind.items is not None:
        return all(map(_same, [kind.items] * len(value), value, found)) and len(value) == len(found)
    if kind.fields:
        names = [each.name or "" for each in kind.fields]
        return set(value) <= set(names) and all(
            map(_same, kind.fields, map(value.get, names), map(found.get, names))
        )
    return bool(found == value) and type(found) in {type(value), float}


@settings(deadline=None)
@given(st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_equal_rows_are_spelled_the_same(row: Row) -> None:
    """Members in another order, and null or not there."""
    turned = {**dict(reversed(row.items())), "not there": None}

    first, second = (Notes().note(json.loads(json.dumps(each))) for each in (row, turned))

    assert first == second
    assert Notes().note({**json.loads(json.dumps(row)), "there": 0}) != first


def test_what_is_spelled_the_same_is_the_same() -> None:
    """Rows that differ in anything but form must not be taken for duplicates."""
    rows: list[Row] = [
        {"a": 1}, {"a": "1"}, {"a": True}, {"a": [1]}, {"a": {"b": 1}}, {"b": 1}, {}, {"a": 1.5},
        {"a": []}, {"a": {}}, {"a": [None]}, {"a": [[]]}, {"a": ""}, {"a": 2**53}, {"a": 2**53 + 1},
        {"a": 1e300}, {"a": "a\u0301"}, {"a": "\u00e1"},
    ]  # fmt: skip

    assert len({Notes().note(json.loads(json.dumps(row))) for row in rows}) == len(rows)


def test_a_row_may_be_a_hundred_levels_deep() -> None:
    """Deeper ones would end the stack somewhere, and not everywhere at the same depth."""
    deep: Any = 1
    for _ in range(99):
        deep = [deep]
    Notes().note({"a": json.loads(json.dumps(deep))})

    with pytest.raises(UnfitRowError) as refusal:
        Notes().note({"a": [[deep]]})

    assert refusal.value.reason == "too-deep"


def test_a_row_may_hold_half_a_million_values() -> None:
    """As Python objects they take thirty times the bytes that they are written in."""
    Notes().note({"a": [[]] * 400_000, "b": "x" * 2_000_000})

    with pytest.raises(UnfitRowError) as refusal:
        Notes().note({"a": [[[]] * 300_000, {"b": [1] * 300_000}]})

    assert refusal.value.reason == "too-many-values"


def test_numbers_written_as_text_are_numbers_if_all_are() -> None:
    """And only if the text can be written anew from them."""
    rows: list[dict[str, str | None]] = [
        {"i": "1", "f": "1.50", "z": "01", "e": "1e5", "h": "99999999999999999999", "n": None},
        {"i": "-7", "f": "-2", "z": "1", "e": "1", "h": "1", "n": None},
    ]
    notes = Notes()
    for row in rows:
        notes.note_written(row)

    layout = layout_of(notes)

    assert layout.batch(rows).to_pylist() == [
        {"i": 1, "f": 1.5, "z": "01", "e": "1e5", "h": "99999999999999999999", "n": None},
        {"i": -7, "f": -2.0, "z": "1", "e": "1", "h": "1", "n": None},
    ]
