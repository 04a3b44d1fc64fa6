"""The job against a real S3 server, and `datasets`, which loads what it wrote, offline."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from coordinator.domain.job_parameters import PrepareTrainingDataset
from coordinator.domain.kinds import Kind
from coordinator.jobs.prepare_training_dataset import prepare
from tests.jobs.conftest import MakeWorkspace, Put, made

Row = dict[str, Any]

_BIG_PIECES = 8 * 1024 * 1024


class Made:
    """What a run of the job gave."""

    def __init__(
        self,
        put: Put,
        workspace: MakeWorkspace,
        body: bytes,
        *,
        name: str = "a.jsonl",
        piece_bytes: int = _BIG_PIECES,
        **parameters: Any,
    ) -> None:
        source = put(body)
        work = workspace(source, Kind.PREPARE_TRAINING_DATASET, file_name=name)
        outcome = prepare(work, PrepareTrainingDataset(**parameters), piece_bytes=piece_bytes)
        self.result = json.loads(msgspec.json.encode(outcome.result))
        self.files = made(work, source)

    def rows(self, split: str) -> list[Row]:
        """Read the split's shards in order."""
        paths = sorted(path for path in self.files if path.startswith(f"{split}-"))
        tables = [pq.read_table(io.BytesIO(self.files[path])) for path in paths]
        return [row for table in tables for row in table.to_pylist()]

    def all_rows(self) -> list[Row]:
        """Read the shards of all splits."""
        return [row for split in ("train", "validation", "test") for row in self.rows(split)]

    def manifest(self) -> dict[str, Any]:
        """Read the manifest."""
        found: dict[str, Any] = json.loads(self.files["manifest.json"])
        return found


def lines(rows: Iterable[object]) -> bytes:
    """Write JSON lines."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def keyed(rows: Iterable[Row]) -> Counter[str]:
    """Count rows, in whatever order they are."""
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


_LOAD = """
import json, sys
from datasets import load_dataset
found = load_dataset("parquet", data_files=json.loads(sys.argv[1]), cache_dir=sys.argv[2])
print(json.dumps({name: list(split) for name, split in found.items()}))
"""


def loaded(files: dict[str, bytes], folder: Path) -> dict[str, list[Row]]:
    """Load shards as whoever trains would, in a process that cannot reach a hub."""
    data_files: dict[str, list[str]] = {}
    for path in sorted(files):
        (folder / path).write_bytes(files[path])
        if path.endswith(".parquet"):
            data_files.setdefault(path.partition("-")[0], []).append(str(folder / path))
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    child = subprocess.run(
        [sys.executable, "-c", _LOAD, json.dumps(data_files), str(folder / "cache")],
        env={**os.environ, **offline},
        capture_output=True,
        check=True,
    )
    found: dict[str, list[Row]] = json.loads(child.stdout)
    return found


def chats(count: int) -> list[Row]:
    """Make rows as they are trained on, each of them once."""
    return [
        {
            "id": i,
            "messages": [
                {"role": "user", "content": f"question {i} é😀"},
                {"role": "assistant", "content": "answer " * (i % 9)},
            ],
            "score": i / 8 if i % 3 else None,
            "good": i % 2 == 0,
        }
        for i in range(count)
    ]


def test_datasets_loads_every_row_as_it_was(
    put: Put, workspace: MakeWorkspace, tmp_path: Path
) -> None:
    """What is trained on is what was uploaded: each row once, in its order, nothing else."""
    truth = chats(5000)
    doubled = [row for i, row in enumerate(truth) for _ in range(1 + (i % 5 == 0))]
    body = lines(doubled[:3000]) + b"oops\n[1]\n" + lines(doubled[3000:])

    prepared = Made(put, workspace, body, validation=0.1, test=0.2, shard_mib=1)

    splits = loaded(prepared.files, tmp_path)
    by_id = {row["id"]: name for name, rows in splits.items() for row in rows}
    for name, rows in splits.items():
        assert rows == [row for row in truth if by_id[row["id"]] == name]
    assert len(by_id) == sum(map(len, splits.values())) == 5000
    assert prepared.result["status"] == "partial"
    assert (prepared.result["rows"], prepared.result["duplicates"]) == (5000, 1000)
    assert prepared.result["broken"] == {"not-an-object": 1, "not-json": 1}


def test_splits_have_the_fractions_asked_for(put: Put, workspace: MakeWorkspace) -> None:
    """As exactly as chance has it: five standard deviations."""
    prepared = Made(
        put, workspace, lines({"n": i} for i in range(40_000)), validation=0.1, test=0.2
    )

    counts = {name: split["rows"] for name, split in prepared.result["splits"].items()}
    assert sum(counts.values()) == 40_000
    assert counts["validation"] == pytest.approx(4000, abs=300)
    assert counts["test"] == pytest.approx(8000, abs=400)


def test_content_and_seed_decide_a_rows_split(put: Put, workspace: MakeWorkspace) -> None:
    """A row that moves, or gets neighbours, must not move from test to train."""
    rows = chats(3000)
    first = Made(put, workspace, lines(rows), test=0.3)
    turned = Made(put, workspace, lines([*reversed(rows), *chats(4000)[3000:]]), test=0.3)
    seeded = Made(put, workspace, lines(rows), test=0.3, seed=1)

    tests = [{row["id"] for row in each.rows("test")} for each in (first, turned, seeded)]
    assert tests[0] == {key for key in tests[1] if key < 3000}
    assert len(tests[0] & tests[2]) == pytest.approx(270, abs=80)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.txt"])
def test_however_it_is_cut_the_bytes_are_the_same(
    put: Put, workspace: MakeWorkspace, name: str
) -> None:
    """Machines differ in how much they take at once, and attempts are made twice."""
    rows = chats(6000) + chats(100) + [{"late": [{"x": 1}], "id": 2**60}]
    body = lines(rows) + b"broken\n" * 3
    if name == "a.parquet":
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows[:-1]), file, row_group_size=512)
        body = file.getvalue()

    runs = [
        Made(put, workspace, body, name=name, piece_bytes=size, shard_mib=1)
        for size in (_BIG_PIECES, _BIG_PIECES, 20_011)
    ]

    assert runs[0].files == runs[1].files == runs[2].files
    assert runs[0].result == runs[2].result
    assert runs[0].result["splits"]["train"]["shards"] > 0


def test_names_say_how_many_shards_there_are(put: Put, workspace: MakeWorkspace) -> None:
    """A reader who finds two of three knows that one is missing."""
    rows = [{"i": i, "text": f"{i:09}" * 100} for i in range(4000)]

    prepared = Made(put, workspace, lines(rows), validation=0, test=0.1, shard_mib=1)

    shards = prepared.manifest()["shards"]
    by_split = Counter(shard["split"] for shard in shards)
    assert by_split["train"] > 2
    assert [shard["path"] for shard in shards] == [
        f"{name}-{place:05}-of-{count:05}.parquet"
        for name, count in by_split.items()
        for place in range(count)
    ]
    sizes = [shard["rows"] for shard in shards if shard["split"] == "train"]
    assert max(sizes) - min(sizes) <= 1


def test_the_manifest_tells_what_was_made(put: Put, workspace: MakeWorkspace) -> None:
    """Its sums are those of the files, so that whoever copies them can check."""
    prepared = Made(put, workspace, lines(chats(500)), seed=7)

    manifest = prepared.manifest()
    for shard in manifest["shards"]:
        body = prepared.files[shard["path"]]
        assert (shard["size"], shard["sha256"]) == (len(body), sha256(body).hexdigest())
        assert shard["rows"] == pq.read_metadata(io.BytesIO(body)).num_rows
        assert shard["root"].endswith("-1")
    assert manifest["parameters"] == {
        "seed": 7, "validation": 0.05, "test": 0.05, "dedupe": True, "shardMib": 256,
    }  # fmt: skip
    assert [column["type"] for column in manifest["columns"]] == [
        "int64", "list", "float64", "boolean",
    ]  # fmt: skip
    assert prepared.result["manifest"] == "manifest.json"
    assert sorted(prepared.result["artifacts"]) == sorted(prepared.files)


def test_an_empty_split_has_no_file(put: Put, workspace: MakeWorkspace, tmp_path: Path) -> None:
    """`datasets` refuses a split without rows."""
    prepared = Made(put, workspace, lines(chats(20)), validation=0, test=0)

    assert prepared.result["splits"] == {
        "train": {"rows": 20, "shards": 1},
        "validation": {"rows": 0, "shards": 0},
        "test": {"rows": 0, "shards": 0},
    }
    assert loaded(prepared.files, tmp_path) == {"train": chats(20)}


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("a.jsonl", b"[1]\n{]\n" * 50, "no-rows-readable"),
        ("a.jsonl", b"{}\n" * 9, "no-columns"),
        ("a.csv", b"a,b\n", "no-rows"),
        ("a.jsonl", b"", "empty"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "not-a-table"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:-9], "damaged"),
        ("a.jsonl", b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}\n", "no-rows-readable"),
    ],
    ids=range(7),
)
def test_without_rows_nothing_is_made(
    put: Put, workspace: MakeWorkspace, name: str, body: bytes, reason: str
) -> None:
    """A job that raised would be tried again and again on the same bytes."""
    prepared = Made(put, workspace, body, name=name)

    assert (prepared.result["status"], prepared.result["reason"]) == ("skipped", reason)
    assert prepared.result["detail"]
    assert prepared.files == {}


def test_equal_rows_are_one_however_they_are_written(put: Put, workspace: MakeWorkspace) -> None:
    """Order of names, nulls, and fractions of zero make no other row; lists have an order."""
    body = (
        b'{"a": 1, "b": [1, 2]}\n{"b": [1.0, 2], "a": 1.0}\n{"a": 1, "b": [1, 2], "c": null}\n'
        b'{"a": 1, "b": [2, 1]}\n{"a": "1", "b": [1, 2]}\n'
    )

    once = Made(put, workspace, body)
    as_is = Made(put, workspace, body, dedupe=False)

    assert (once.result["rows"], once.result["duplicates"]) == (3, 2)
    assert (as_is.result["rows"], as_is.result["duplicates"]) == (5, 0)
    assert keyed(once.all_rows()) == keyed(
        {"a": a, "b": b, "c": None}
        for a, b in (("1", [1.0, 2.0]), ("1", [2.0, 1.0]), ('"1"', [1.0, 2.0]))
    )


def test_huge_rows_are_written_and_longer_ones_dropped(put: Put, workspace: MakeWorkspace) -> None:
    """Eight megabytes a row is the most that is read."""
    rows = [{"i": i, "text": "é" * 3_000_000} for i in range(5)]

    prepared = Made(put, workspace, lines([*rows, {"text": "x" * 9_000_000}]), shard_mib=8)

    assert prepared.result["broken"] == {"row-too-long": 1}
    assert sorted(prepared.all_rows(), key=lambda row: row["i"]) == rows


@pytest.mark.parametrize("packing", [bytes, gzip.compress, zstandard.compress])
def test_csv_columns_are_numbers_where_nothing_is_lost(
    put: Put, workspace: MakeWorkspace, packing: Any
) -> None:
    """A postcode is no number, and so is what no number type holds."""
    file = io.StringIO()
    written = csv.writer(file)
    written.writerow(["n", "x", "code", "long", "text"])
    for i in range(300):
        written.writerow([i, f"{i}.25", f"{i:05}", 2**70 + i, "" if i % 2 else f"t,{i}"])

    name = {gzip.compress: "a.csv.gz", zstandard.compress: "a.csv.zst"}.get(packing, "a.csv")
    prepared = Made(put, workspace, packing(file.getvalue().encode()), name=name)

    assert keyed(prepared.all_rows()) == keyed(
        {
            "n": i,
            "x": i + 0.25,
            "code": f"{i:05}",
            "long": str(2**70 + i),
            "text": None if i % 2 else f"t,{i}",
        }
        for i in range(300)
    )


def test_lines_of_text_are_the_column_text(put: Put, workspace: MakeWorkspace) -> None:
    """A corpus is a data set, too; equal lines are one."""
    prepared = Made(put, workspace, "eins\nzwei\r\nzwei\n\nüber\n".encode(), name="a.txt")

    assert keyed(prepared.all_rows()) == keyed({"text": t} for t in ("eins", "zwei", "", "über"))
