"""The job against a real S3 server: every object has a clear result, S3's failures are raised."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
import zstandard

from coordinator.jobs.detect import Detected
from coordinator.jobs.generate_metadata import generate_metadata
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import cut
from coordinator.jobs.table_formats import parquet_claims_too_much
from coordinator.jobs.table_summary import Shape, connected
from coordinator.jobs.text_summary import Lines, measure_lines, total

Put = Callable[[bytes], ObjectSource]

_ROWS = b'{"n": 1, "s": "x"}\n{"n": 2, "s": null}\n'


def packed(data: bytes) -> bytes:
    """Pack without the time of day, which xdist would find in the names of tests."""
    return gzip.compress(data, 5, mtime=0)


_PACKED = {".gz": packed, "zst": zstandard.compress}


def described(source: ObjectSource, name: str) -> dict[str, Any]:
    """Run the job, and see that its result is JSON."""
    result = generate_metadata(source, file_name=name, file_type="")
    found: dict[str, Any] = json.loads(json.dumps(result, allow_nan=False))
    return found


def parquet(folder: Path, select: str) -> bytes:
    """Write a parquet file of a query's rows."""
    path = folder / "made.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def test_json_lines_are_measured(put: Put) -> None:
    """The whole shape of a result, once."""
    result = described(put(_ROWS), "a.jsonl")

    nothing = {"mean": None, "std": None, "quartiles": None}
    assert result == {
        "status": "analyzed",
        "reason": None,
        "detail": None,
        "sizeBytes": len(_ROWS),
        "detected": {
            "format": "jsonl",
            "compression": None,
            "encoding": "utf-8",
            "basis": "content",
            "notes": [],
        },
        "rows": 2,
        "brokenRows": 0,
        "columnCount": 2,
        "columns": [
            {
                "name": "n",
                "type": "BIGINT",
                "nullCount": 0,
                "nullPercentage": 0.0,
                "min": 1,
                "max": 2,
                "approxDistinct": 2,
                "mean": 1.5,
                "std": 0.7071067811865476,
                "quartiles": {"q25": 1.0, "q50": 1.5, "q75": 2.0},
            },
            {
                "name": "s",
                "type": "VARCHAR",
                "nullCount": 1,
                "nullPercentage": 50.0,
                "min": "x",
                "max": "x",
                "approxDistinct": 1,
                **nothing,
            },
        ],
        "lineLengths": None,
        "notes": [],
        "artifacts": [],
    }


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", b"n,s\n1,x\n2,\n"),
        ("a.tsv", b"n\ts\n1\tx\n2\t\n"),
        ("a.csv", "n,s\n1,\xe9\n2,\n".encode("latin-1")),
        ("a.csv", "n,s\n1,x\n2,\n".encode("utf-16")),
        ("a.json", b'[{"n": 1, "s": "x"}, {"n": 2, "s": null}]'),
        ("a.jsonl", b"\xef\xbb\xbf" + _ROWS),
        ("a.jsonl.gz", packed(_ROWS)),
        ("a.jsonl.gz", packed(_ROWS[:19]) + packed(_ROWS[19:])),
        ("a.csv.gz", packed(b"n,s\n1,x\n2,\n")),
        ("a.jsonl.zst", zstandard.compress(_ROWS)),
        ("a.jsonl.zst", zstandard.compress(_ROWS[:19]) + zstandard.compress(_ROWS[19:])),
        ("a.csv.zst", zstandard.compress(b"n,s\n1,x\n2,\n")),
        ("a.json.zst", zstandard.compress(b'[{"n": 1, "s": "x"}, {"n": 2, "s": null}]')),
    ],
)
def test_every_table_format_gives_the_same_facts(put: Put, name: str, body: bytes) -> None:
    """A data set does not change by being written another way."""
    result = described(put(body), name)

    columns = [(c["name"], c["type"], c["nullCount"], c["mean"]) for c in result["columns"]]
    assert (result["status"], result["rows"]) == ("analyzed", 2)
    assert columns == [("n", "BIGINT", 0, 1.5), ("s", "VARCHAR", 1, None)]


def test_parquet_types_become_json(put: Put, tmp_path: Path) -> None:
    """JSON has no infinity, decimals, huge numbers, dates, blobs of its own."""
    select = (
        "SELECT 'inf'::DOUBLE AS f, 1.5::DECIMAL(5, 2) AS d,"
        " 170141183460469231731687303715::HUGEINT h, 1e300 AS e,"
        " DATE '2024-01-01' AS t, 'x'::BLOB AS b, [1] AS l, repeat('é', 999) AS \"a\"\"';--\""
    )

    result = described(put(parquet(tmp_path, f"{select} UNION ALL {select}")), "a.parquet")

    facts = {c["name"]: (c["min"], c["mean"]) for c in result["columns"]}
    huge = facts.pop("h")
    assert result["status"] == "analyzed"
    assert huge[0] == pytest.approx(1.70141183460469e29)
    assert facts == {
        "f": (None, None),
        "d": (1.5, 1.5),
        "t": ("2024-01-01", None),
        "b": (None, None),
        "l": (None, None),
        "a\"';--": ("é" * 200, None),
        "e": (1e300, 1e300),
    }


def test_broken_lines_are_counted_and_the_others_measured(put: Put) -> None:
    """One bad line among millions must not hide the rest, nor count as nulls."""
    deep = b'{"n": ' + b"[" * 300 + b"]" * 300 + b"}\n"
    body = _ROWS * 2 + b'oops\n[1]\n7\n{"n": \n{"s": "\xe9"}\n\n{"new": true}\n' + deep

    result = described(put(body), "a.jsonl")

    facts = [(c["name"], c["type"], c["nullCount"]) for c in result["columns"]]
    assert (result["status"], result["reason"]) == ("partial", "broken-rows")
    assert (result["rows"], result["brokenRows"]) == (6, 5)
    assert facts == [("n", "JSON", 1), ("new", "BOOLEAN", 5), ("s", "VARCHAR", 4)]


def test_broken_csv_rows_are_counted_and_the_others_measured(put: Put) -> None:
    """Too few fields, too many, and bytes that are no UTF-8, far behind the sampled rows."""
    body = b"a,b\n" + b"1,2\n" * 30_000 + b"3\n4,5,6\n\xe9,1\nword,2\n"

    result = described(put(body), "a.csv")

    assert (result["reason"], result["rows"], result["brokenRows"]) == ("broken-rows", 30_001, 3)
    assert [c["type"] for c in result["columns"]] == ["VARCHAR", "BIGINT"]


def test_a_broken_row_among_the_first_hides_no_columns(put: Put) -> None:
    """What cuts most rows as it cuts the header is the delimiter, broken rows or not."""
    rows = [b"%d;x,y;%d\n" % (i, i) if i % 20 else b"oops;1;2;3;4\n" for i in range(2000)]

    result = described(put(b"a;b;c\n" + b"".join(rows)), "a.csv")

    assert (result["reason"], result["rows"], result["brokenRows"]) == ("broken-rows", 1900, 100)
    assert [c["name"] for c in result["columns"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("a.csv", b"", "empty"),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n", "not-a-table"),
        ("a.jsonl", "é\n".join(['{"a": 1}'] * 3).encode("utf-16"), "encoding-not-read"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd\x00\x00", "damaged"),
        ("a.jsonl.zst", zstandard.compress(_ROWS * 99)[:-3], "damaged"),
        ("a.parquet.gz", packed(b"PAR1" + b"x" * 500), "compression-not-read"),
        ("a.parquet", b"PAR1" + b"x" * 500, "unreadable"),
        ("a.json", b"[" * 100_000, "unreadable"),
        ("a.jsonl", b"[" * 100_000, "no-rows-readable"),
        ("a.csv.gz", packed(b"a,b\n1,2\n" * 99)[:-9], "damaged"),
    ],
)
def test_what_cannot_be_measured_says_why(put: Put, name: str, body: bytes, reason: str) -> None:
    """A job that raised would be tried again and again on the same bytes."""
    source = put(body)

    result = described(source, name)

    assert (result["status"], result["reason"]) == ("described", reason)
    assert result["sizeBytes"] == len(body)
    assert result["detail"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.csv.gz", "a.csv.zst"])
def test_a_giant_line_is_not_read_to_its_end(put: Put, name: str) -> None:
    """DuckDB alone tries one of 200 MB for twelve seconds, in ever more memory."""
    line = b'{"a": "' + b"x" * 70_000_000 + b'"}\n' if name == "a.jsonl" else b"x" * 70_000_000
    body = b'{"a": 1}\n' + line if name == "a.jsonl" else b"a,b\n1," + line

    result = described(put(_PACKED.get(name[-3:], bytes)(body)), name)

    assert (result["status"], result["reason"]) == ("described", "line-too-long")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_a_zip_bomb_is_not_unpacked(put: Put, name: str) -> None:
    """Three hundred megabytes of rows in a third of one, or in ten thousandths."""
    result = described(put(_PACKED[name[-3:]](b"1,2\n" * 80_000_000)), name)

    assert (result["status"], result["reason"]) == ("described", "unpacks-too-large")


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst"])
def test_text_has_rows_and_line_lengths(put: Put, name: str) -> None:
    """Blank lines are rows, as they are when a data set is made of them."""
    body = b"eight...\r\n" * 10_000 + "söme words\r\n\n".encode() + b"\xff\nlast"

    result = described(put(_PACKED.get(name[-3:], bytes)(body)), name)

    (column,) = result["columns"]
    assert (result["status"], result["reason"]) == ("partial", "broken-rows")
    assert (result["rows"], result["brokenRows"], result["columnCount"]) == (10_003, 1, 1)
    assert result["lineLengths"] == {"min": 0, "max": 10, "mean": 80_014 / 10_003}
    assert (column["name"], column["type"], column["nullCount"]) == ("text", "VARCHAR", 0)


def test_lengths_of_text_do_not_depend_on_how_it_is_cut(put: Put) -> None:
    """A line that crosses a cut is counted once."""
    source = put("".join(f"{'ä' * (i % 70)}\n" for i in range(999)).encode())
    detected = Detected(format="text", encoding="utf-8", basis="content")

    seen = {
        total(map(measure_lines, cut(ObjectReader(source), detected, target_bytes=target)))
        for target in (999, 10_000, 10**6)
    }

    assert seen == {Lines(999, 0, 0, 69, sum(i % 70 for i in range(999)))}


def test_a_header_without_rows_has_columns_and_no_rows(put: Put) -> None:
    """And names that differ in case only are told apart."""
    result = described(put(b"a,b,A\n"), "a.csv")

    assert (result["status"], result["rows"]) == ("analyzed", 0)
    assert [c["name"] for c in result["columns"]] == ["a", "b", "A_1"]


def test_of_very_many_columns_the_first_are_measured(put: Put) -> None:
    """Five thousand columns would take a gigabyte to measure."""
    names, values = (b",".join(b"%s%d" % (p, i) for i in range(5000)) for p in (b"c", b""))

    result = described(put(names + b"\n" + values + b"\n"), "a.csv")

    assert (result["reason"], result["rows"]) == ("too-many-columns", 1)
    assert [c["mean"] for c in result["columns"]][499:501] == [499.0, None]
    assert result["columnCount"] == len(result["columns"]) == 5000


def test_the_same_object_gives_the_same_bytes(put: Put) -> None:
    """A job may run twice; its result must not tell."""
    source = put(
        b"".join(b'{"a": %d, "b": %f}\n' % (i * 7919 % 10_007, i / 3) for i in range(50_000))
    )

    first, second = (msgspec.json.encode(described(source, "a.jsonl")) for _ in range(2))

    assert first == second


def test_a_parquet_file_that_claims_absurdly_many_rows_is_not_read(
    put: Put, tmp_path: Path
) -> None:
    """A few bytes can stand for any number of equal values."""
    source = put(parquet(tmp_path, "SELECT 1 AS a FROM range(2000000)"))
    columns = tuple((f"c{i}", "BIGINT") for i in range(1000))

    with connected(ObjectReader(source), longest_line=None) as connection:
        claimed = parquet_claims_too_much(connection, source.size, Shape("", columns))
        honest = parquet_claims_too_much(connection, source.size, Shape("", columns[:1]))

    assert (claimed, honest) == (2_000_000, None)
