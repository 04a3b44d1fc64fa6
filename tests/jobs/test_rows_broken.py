"""Rows that are broken, files that are, and how little memory either may take."""

import gzip
import json
import pickle
import subprocess
import sys
from collections import deque
from typing import Final

import msgspec
import pyarrow as pa
import pytest
import zstandard

from coordinator.jobs.detect import detect
from coordinator.jobs.object_reader import ObjectReader, ObjectReadError, ObjectSource
from coordinator.jobs.pieces import Piece, cut
from coordinator.jobs.rows import LONGEST_ROW, Broken, NotRowsError, Row, rows
from coordinator.jobs.rows_of_lines import json_row
from tests.jobs.conftest import Put
from tests.jobs.test_rows import packed, parquet, read

# The first 64 KiB tell the encoding.
_PAD: Final = "x" * 70_000
_ROW: Final = '{"a": "é"}\n'


def seen(source: ObjectSource, name: str) -> list[object]:
    """Read rows: the values of good ones, the reasons of broken ones."""
    return [row.value if isinstance(row, Row) else row.reason for row in read(source, name)]


def test_broken_lines_stand_among_the_others(put: Put) -> None:
    """Each has its place and its reason."""
    deep = b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    lines = [_ROW.encode().strip(), b"oops", b"[1]", b"7", b'{"a": "\xff"}', b"\xff", b"NaN", deep]

    found = seen(put(_ROW.replace("é", _PAD).encode() + b"\n".join(lines)), "a.jsonl")

    assert found[1:] == [
        {"a": "é"},
        "not-json",
        "not-an-object",
        "not-an-object",
        "wrong-encoding",
        "wrong-encoding",
        "not-json",
        "not-json",
    ]


def _read_below(frames: int, line: bytes) -> object:
    """Read a row with so much more on the stack."""
    return _read_below(frames - 1, line) if frames else json_row(0, line)


@pytest.mark.parametrize("frames", [0, 400])
def test_how_deep_a_row_may_be_does_not_depend_on_who_reads_it(frames: int) -> None:
    """What is a row for one process must not be broken for another."""
    deepest, deeper = (b'{"a": ' + b"[" * n + b"]" * n + b"}" for n in (199, 200))

    assert isinstance(_read_below(frames, deepest), Row)
    assert isinstance(_read_below(frames, deeper), Broken)


def test_a_line_that_is_no_utf16_is_wrongly_encoded(put: Put) -> None:
    """The marker for it is no character that a file could hold."""
    good = _ROW.encode("utf-16-le")

    found = seen(put(b"\xff\xfe" + good + b"\x00\xd8" + good + good), "a.jsonl")

    assert found == [{"a": "é"}, "wrong-encoding", {"a": "é"}]


def test_broken_rows_of_csv_stand_among_the_others(put: Put) -> None:
    """Too few fields, too many, bytes that are no text; a blank line is no row."""
    body = f"a,b\n{_PAD},2\n".encode() + b'3\n4,5,6\n\xff,1\n\n7,"8\n9"\n'

    found = seen(put(body), "a.csv")

    assert found[1:] == [
        "columns-differ",
        "columns-differ",
        "wrong-encoding",
        {"a": "7", "b": "8\n9"},
    ]


def test_broken_values_of_an_array_do_not_hide_the_next(put: Put) -> None:
    """A comma too many, one that is missing, something that is no JSON."""
    body = b'[{"a": 1},, {"a": 2} {"a": 3}, {"a": oops}, {"a": "}]"}, 5, {"a": [1 2]}, {"a": 4}]'

    found = seen(put(body), "a.json")

    assert found == [
        {"a": 1},
        "not-json",
        "not-json",
        "not-json",
        {"a": "}]"},
        "not-an-object",
        "not-json",
        {"a": 4},
    ]


def bombs(size: int) -> list[tuple[str, bytes]]:
    """Pack what unpacks to ``size`` bytes of rows."""
    lines = (b"x" * 999_999 + b"\n") * (size // 1_000_000)
    return [("a.txt.gz", packed(lines)), ("a.txt.zst", zstandard.compress(lines))]


@pytest.mark.parametrize("place", [0, 1])
def test_a_bomb_is_not_unpacked_to_its_end(put: Put, place: int) -> None:
    """What is packed a thousand times is no data set."""
    name, body = bombs(280_000_000)[place]

    (piece,) = cut_of(put(body), name)
    numbers = (row.number for row in rows(piece))
    with pytest.raises(NotRowsError) as caught:
        deque(numbers, maxlen=0)

    assert caught.value.reason == "unpacks-too-large"


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("a.jsonl", b"", "empty"),
        ("a.csv.gz", packed(b""), "empty"),
        ("a.bin", bytes(range(256)) * 9, "not-a-table"),
        ("a.parquet.gz", packed(b"PAR1" * 9), "compression-not-read"),
        ("a.jsonl.gz", packed(_ROW.encode() * 999)[:-9], "damaged"),
        ("a.jsonl.gz", packed(_ROW.encode()) + b"rest", "damaged"),
        ("a.jsonl.zst", zstandard.compress(_ROW.encode() * 999)[:-3], "damaged"),
        ("a.jsonl.zst", zstandard.compress(_ROW.encode()) + b"rest", "damaged"),
        ("a.parquet", b"PAR1" + b"x" * 500, "damaged"),
        ("a.parquet", parquet(pa.table({"a": [1]}))[:-9], "damaged"),
        ("a.json", b'[{"a": 1}', "damaged"),
        ("a.json", b'[{"a": 1}}', "damaged"),
        ("a.json", b'[{"a": 1}] 2', "damaged"),
    ],
)
def test_a_file_without_rows_says_why(put: Put, name: str, body: bytes, reason: str) -> None:
    """What is wrong with a file is no failure of the job."""
    with pytest.raises(NotRowsError) as caught:
        read(put(body), name)

    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.reason, bool(again.detail)) == (reason, True)


def test_a_damaged_page_of_parquet_is_no_failure_of_s3(put: Put) -> None:
    """The footer is whole, so the damage shows when rows are read."""
    body = bytearray(parquet(pa.table({"a": [f"text {i}" for i in range(5000)]}), 5000))
    body[100:2000] = b"\xff" * 1900

    with pytest.raises(NotRowsError) as caught:
        read(put(bytes(body)), "a.parquet")

    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.parquet"])
def test_failures_of_s3_are_raised_as_such(put: Put, name: str) -> None:
    """Also through readers that are not ours: the worker tries again later."""
    table = pa.table({"a": [f"text {i}" for i in range(50_000)]})
    body = {
        "a.jsonl": _ROW.encode() * 9,
        "a.csv": b"a,b\n1,2\n",
        "a.jsonl.gz": gzip.compress(_ROW.encode()),
        "a.jsonl.zst": zstandard.compress(_ROW.encode()),
        "a.parquet": parquet(table, 50_000),
    }[name]
    source = put(body)
    (piece, *_) = cut_of(source, name)
    lost = msgspec.structs.replace(piece, source=msgspec.structs.replace(source, key="jobs/none"))

    with pytest.raises(ObjectReadError):
        list(rows(lost))


def cut_of(source: ObjectSource, name: str) -> list[Piece]:
    """Cut an object as a job does."""
    reader = ObjectReader(source)
    return cut(reader, detect(reader.read(0, 65_536), name, ""))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
def test_a_row_is_too_long_from_eight_mebibytes_on(put: Put, name: str) -> None:
    """One byte less is a row like others, also where a piece ends within it."""
    outside = {"a.jsonl": len('{"a": ""}'), "a.json": len('{"a": ""}'), "a.csv": len("1,\n")}[name]
    texts = ["x" * (LONGEST_ROW - outside - less) for less in (1, 0)] + ["short"]
    if name == "a.csv":
        body = "n,a\n" + "".join(f"1,{text}\n" for text in texts)
    else:
        values = [json.dumps({"a": text}) for text in texts]
        body = "\n".join(values) if name == "a.jsonl" else f"[{','.join(values)}]"

    found = seen(put(body.encode()), name)

    assert [each if isinstance(each, str) else len(each["a"]) for each in found] == [  # type: ignore[index]
        len(texts[0]),
        "row-too-long",
        5,
    ]


_CHILD: Final = """
import re, sys
from pathlib import Path
import msgspec
from coordinator.jobs.detect import detect
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.pieces import cut
from coordinator.jobs.rows import Row, rows

def peak():
    return int(re.search(r"VmHWM:\\\\s+(\\\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

source = msgspec.json.decode(sys.stdin.buffer.read(), type=ObjectSource)
before = peak()
reader = ObjectReader(source)
pieces = cut(reader, detect(reader.read(0, 65536), sys.argv[1], ""))
found = [row for piece in pieces for row in rows(piece)]
reasons = ["good" if isinstance(row, Row) else row.reason for row in found]
print(len(pieces), peak() - before, *reasons)
""".replace("\\\\", "\\")


def in_child(source: ObjectSource, name: str) -> tuple[int, int, list[str]]:
    """Read rows in a process of their own: pieces, memory in MiB, what the rows were."""
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, name],
        input=msgspec.json.encode(source),
        capture_output=True,
        check=True,
    )
    pieces, peak, *reasons = child.stdout.decode().split()
    return int(pieces), int(peak), reasons


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json", "a.jsonl.gz"])
def test_a_giant_row_takes_no_memory_and_its_neighbours_are_read(put: Put, name: str) -> None:
    """A third of a gigabyte in one line; two would take no more."""
    giant = b"x" * (300_000_000 if name == "a.jsonl" else 120_000_000)
    body = {
        "a.jsonl": b'{"a": 1}\n{"a": "%s"}\n{"a": 2}\n',
        "a.jsonl.gz": b'{"a": 1}\n{"a": "%s"}\n{"a": 2}\n',
        "a.csv": b"a,b\n1,2\n1,%s\n3,4\n",
        "a.json": b'[{"a": 1}, {"a": "%s"}, {"a": 2}]',
    }[name] % giant
    if name == "a.jsonl.gz":  # not so well packed that it would be a bomb
        noise = gzip.compress(b'{"b": "%s"}\n' % bytes(range(97, 123)) * 99, 0)
        body = noise * 1000 + gzip.compress(body, 1)

    pieces, peak, reasons = in_child(put(body), name)

    assert reasons[-3:] == ["good", "row-too-long", "good"]
    assert pieces == (18 if name == "a.jsonl" else 1)
    assert peak < 90


def test_a_long_value_that_many_rows_share_takes_memory_once(put: Put) -> None:
    """Ten thousand rows of a megabyte each, in a file of a few kilobytes."""
    words = pa.DictionaryArray.from_arrays([0] * 10_000, ["x" * 1_000_000])
    source = put(parquet(pa.table({"a": words}), 10_000))

    pieces, peak, reasons = in_child(source, "a.parquet")

    assert (pieces, reasons) == (1, ["good"] * 10_000)
    assert peak < 200


def test_broken_says_nothing_of_the_row(put: Put) -> None:
    """Details end up in results, which more people read than the data."""
    found = read(put(b'{"a": "secret\n["secret"]\n{}\n{}\n{}\n'), "a.jsonl")

    broken = [row for row in found if isinstance(row, Broken)]
    assert len(broken) == 2
    assert "secret" not in repr(broken)
