"""Rows of every format from a real S3 server: all of them, once, in order, wherever cuts are."""

import gzip
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from coordinator.jobs import rows_of_lines
from coordinator.jobs.detect import HEAD_BYTES, Detected, detect
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import Piece, cut
from coordinator.jobs.rows import Broken, Row, blocks, rows
from coordinator.jobs.rows_of_json import json_rows

Put = Callable[[bytes], ObjectSource]

_TABLE: Final[list[dict[str, Any]]] = [
    {"n": "1", "s": "x"},
    {"n": "2", "s": None},
    {"n": "é", "s": 'a"b,\nc'},
]
_CSV: Final = 'n,s\n1,x\n2,\né,"a""b,\nc"\n'


def read(source: ObjectSource, name: str, target_bytes: int = 16 * 2**20) -> list[Row | Broken]:
    """Read the rows of all pieces, numbered over the whole file."""
    reader = ObjectReader(source)
    detected = detect(reader.read(0, HEAD_BYTES), name, "")
    found: list[Row | Broken] = []
    for piece in cut(reader, detected, target_bytes=target_bytes):
        first = len(found)
        found += [row._replace(number=first + row.number) for row in rows(piece)]
    return found


def packed(data: bytes) -> bytes:
    """Pack without the time of day, which xdist would find in the names of tests."""
    return gzip.compress(data, 5, mtime=0)


def zstd(data: bytes) -> bytes:
    """Pack in two frames."""
    half = len(data) // 2
    return zstandard.compress(data[:half]) + zstandard.compress(data[half:])


def parquet(table: pa.Table, rows_a_group: int = 100) -> bytes:
    """Write a parquet file of several row groups."""
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=rows_a_group)
    return file.getvalue()


def as_lines(table: Sequence[dict[str, Any]]) -> bytes:
    """Write JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in table)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.jsonl", as_lines(_TABLE)),
        ("a.jsonl", b"\xef\xbb\xbf" + as_lines(_TABLE).replace(b"\n", b"\r\n\n \n")),
        ("a.jsonl", as_lines(_TABLE).decode().encode("utf-16")),
        ("a.jsonl.gz", packed(as_lines(_TABLE[:1])) + packed(as_lines(_TABLE[1:])) + b"\0" * 9),
        ("a.jsonl.zst", zstd(as_lines(_TABLE))),
        ("a.json", json.dumps(_TABLE).encode()),
        ("a.json", json.dumps(_TABLE, indent=2, ensure_ascii=False).encode("utf-32")),
        ("a.json.zst", zstd(json.dumps(_TABLE).encode())),
        ("a.csv", _CSV.encode()),
        ("a.csv", b"\xef\xbb\xbf" + _CSV.encode()),
        ("a.csv", _CSV.replace("\n", "\r\n").replace(",\r\nc", ",\nc").encode()),
        ("a.csv", _CSV.encode("latin-1")),
        ("a.csv", _CSV.encode("utf-16")),
        ("a.csv.gz", packed(_CSV.encode())),
        ("a.csv.zst", zstd(_CSV.encode())),
        (
            "a.tsv",
            _CSV.replace("1,x", "1\tx")
            .replace("n,s", "n\ts")
            .replace("2,", "2\t")
            .replace("é,", "é\t")
            .encode(),
        ),
        ("a.parquet", parquet(pa.Table.from_pylist(_TABLE))),
    ],
)
def test_a_table_has_the_same_rows_however_it_is_written(put: Put, name: str, body: bytes) -> None:
    """A data set does not change by being written another way."""
    found = read(put(body), name)

    assert found == [Row(number, value) for number, value in enumerate(_TABLE)]


def test_lines_of_text_are_rows_blank_ones_too(put: Put) -> None:
    """Whoever writes a copy of a file needs all its lines."""
    found = read(put(b"some words\r\n\nand, more\nlast"), "a.txt")

    assert [row.value for row in found if isinstance(row, Row)] == [
        "some words",
        "",
        "and, more",
        "last",
    ]


@given(
    lines=st.lists(st.sampled_from(["", " ", '{"a": 1}', '{"é": "ü\\n"}', "x", "[1]"]), min_size=1),
    ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1),
    is_ended=st.booleans(),
    target_bytes=st.integers(3, 60),
    block=st.integers(1, 9),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_wherever_the_cuts_are_all_rows_are_read_once_and_in_order(  # noqa: PLR0917
    put: Put,
    lines: list[str],
    ends: list[str],
    is_ended: bool,  # noqa: FBT001
    target_bytes: int,
    block: int,
) -> None:
    """Cuts in the middle of a line, of a line end, of a character; lines longer than a piece."""
    text = "".join(line + end for line, end in zip(lines, cycle(ends), strict=False))
    body = (text if is_ended else text.rstrip("\r\n") + "!").encode()
    source = put(body)
    detected = Detected(format="text", encoding="utf-8", basis="content")
    whole = Piece(source, detected, 0, source.size, is_whole=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_of_lines, "READ", block)
        pieces = cut(ObjectReader(source), detected, target_bytes=target_bytes)
        found = [line for piece in pieces for batch in blocks(piece) for line in batch]

    expected = body.split(b"\n")[: -1 if is_ended else None]
    assert found == [line.removesuffix(b"\r") for line in expected]
    assert found == [line for batch in blocks(whole) for line in batch]
    event(f"{min(len(pieces), 3)} pieces")


@given(
    values=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers(0, 99) | st.text('[]{},"\\é', max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text('ab"{,', max_size=3), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=6,
    ),
    indent=st.sampled_from([None, 1]),
    size=st.integers(1, 40),
)
def test_wherever_blocks_end_an_array_has_the_same_values(
    values: list[Any],
    indent: int | None,
    size: int,
) -> None:
    """Only the ends of values are searched for; brackets and commas inside them are no ends."""
    body = json.dumps(values, indent=indent, ensure_ascii=False).encode()

    found = list(json_rows(body[at : at + size] for at in range(0, len(body), size)))

    assert [row.number for row in found] == list(range(len(values)))
    assert [row.value if isinstance(row, Row) else row.reason for row in found] == [
        value if isinstance(value, dict) else "not-an-object" for value in values
    ]


def test_at_most_ten_thousand_pieces_are_cut(put: Put) -> None:
    """Each is a row in Postgres and a task for somebody."""
    source = put(b"1\n" * 20_500)
    detected = Detected(format="text", encoding="utf-8", basis="content")

    pieces = cut(ObjectReader(source), detected, target_bytes=1)

    assert len(pieces) == 41_000 // 5 == 8_200
    assert (pieces[0].start, pieces[-1].end) == (0, source.size)


def test_row_groups_are_put_together_until_they_are_large_enough(put: Put) -> None:
    """A group by itself may have a dozen rows."""
    table = pa.table({"n": list(range(1000)), "s": ["x" * (i % 50) for i in range(1000)]})
    source = put(parquet(table, 10))
    detected = Detected(format="parquet", basis="magic")

    pieces = cut(ObjectReader(source), detected, target_bytes=4000)
    found = [row.value["n"] for piece in pieces for row in rows(piece) if isinstance(row, Row)]

    assert 5 < len(pieces) < 50
    assert (pieces[0].start, pieces[-1].end) == (0, 100)
    assert found == list(range(1000))


def test_parquet_values_become_what_json_has(put: Put) -> None:
    """Rows go on as JSON, to schemas, models and other files."""
    moment = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    columns = {
        "when": pa.array([moment], pa.timestamp("us", "Europe/Berlin")),
        "naive": pa.array([1], pa.timestamp("ns")),
        "far": pa.array([moment.date()], pa.date32()),
        "time": pa.array([moment.time()], pa.time64("us")),
        "for": pa.array([1_500], pa.duration("ms")),
        "much": pa.array([Decimal("1.50")], pa.decimal128(5, 2)),
        "bytes": pa.array([b"\xff\x00"]),
        "nan": pa.array([float("nan")]),
        "deep": pa.array([[{"at": moment.date(), "x": float("inf")}]]),
        "map": pa.array([[("k", b"v")]], pa.map_(pa.string(), pa.binary())),
        "words": pa.array(["w"]).dictionary_encode(),
        "list": pa.array([["a", None]]),
        "none": pa.array([None], pa.null()),
    }

    (row,) = read(put(parquet(pa.table(columns))), "a.parquet")

    assert isinstance(row, Row)
    assert row.value == {
        "when": "2024-01-02T03:04:05.000006Z",
        "naive": "1970-01-01T00:00:00.000000001",
        "far": "2024-01-02",
        "time": "03:04:05.000006",
        "for": "PT1.5S",
        "much": "1.50",
        "bytes": "/wA=",
        "nan": None,
        "deep": [{"at": "2024-01-02", "x": None}],
        "map": [["k", "dg=="]],
        "words": "w",
        "list": ["a", None],
        "none": None,
    }


@pytest.mark.parametrize(
    ("body", "names"),
    [(b"a,b,a,,a\n1,2,3,4,5\n", ["a", "b", "a_1", "column3", "a_2"])],
)
def test_columns_of_one_name_are_told_apart(put: Put, body: bytes, names: list[str]) -> None:
    """A dict would lose all but the last."""
    (row,) = read(put(body), "a.csv")

    assert isinstance(row, Row)
    assert list(row.value) == names


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_a_csv_file_is_cut_by_what_cuts_most_of_its_rows(put: Put, delimiter: str) -> None:
    """Spreadsheets of half the world write semicolons, and some rows are broken."""
    text = "a,b,c\n1,2.5,x\n4,5\n6,7,8\n".replace(",", delimiter)

    found = read(put(text.encode()), "a.csv")

    assert [getattr(row, "value", None) for row in found] == [
        {"a": "1", "b": "2.5", "c": "x"},
        None,
        {"a": "6", "b": "7", "c": "8"},
    ]
