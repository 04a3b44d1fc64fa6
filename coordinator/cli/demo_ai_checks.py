"""Holds what the jobs found against what was planted, for ``coordinator demo-ai``."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from coordinator.cli.demo_ai_data import Truth
from coordinator.cli.demo_ai_redacted import Compared
from coordinator.cli.demo_ai_report import Check
from coordinator.cli.demo_ai_texts import Texts
from coordinator.cli.demo_ai_uploads import JOBS

_SHOWN_BAD: Final = 100

Job = dict[str, Any]


def of_jobs(purpose: str, jobs: Mapping[str, Job]) -> list[Check]:
    """Each job of the pipeline has succeeded, and did something."""
    states = {kind: (job["status"], job["errorCode"]) for kind, job in jobs.items()}
    skipped = [
        kind for kind, job in jobs.items() if (job["result"] or {}).get("status") == "skipped"
    ]
    return [
        Check(f"{purpose}: jobs", dict.fromkeys(JOBS[purpose], ("succeeded", None)), states),
        Check(f"{purpose}: jobs that had nothing to do", [], skipped),
    ]


def of_schema(job: Job, truth: Truth) -> list[Check]:
    """The rows that are broken, and those that violate the schema: how many, and which first."""
    result = job["result"]
    broken, invalid = len(truth.broken), len(truth.invalid)
    bad = sorted({*truth.broken, *truth.invalid})[:_SHOWN_BAD]
    expected = [
        (row, "", None, truth.broken[row])
        if row in truth.broken
        else (row, *truth.invalid[row], None)
        for row in bad
    ]
    found = [
        (each["row"], each["pointer"], each["keyword"], each.get("broken"))
        for each in result["badRows"]
    ]
    return [
        Check("schema: rows", truth.rows, result["rows"]),
        Check("schema: rows that fulfil it", truth.rows - broken - invalid, result["validRows"]),
        Check("schema: rows that violate it", invalid, result["invalidRows"]),
        Check("schema: broken rows", broken, result["brokenRows"]),
        Check("schema: the first bad rows, where and why", expected, found),
    ]


def of_scan(job: Job, expected: Mapping[tuple[str, str], int], *, rows: int) -> list[Check]:
    """Counts by kind and column; ``rows`` have something in them."""
    result = job["result"]
    found = {(each["kind"], each["column"]): each["count"] for each in result["findings"]}
    return [
        Check("scan: findings by kind and column", dict(expected), found),
        Check("scan: rows with findings", rows, result["rowsWithFindings"]),
        Check("scan: every row was judged", "done", result["status"]),
    ]


def of_copy(compared: Compared, *, rows: int) -> list[Check]:
    """Nothing that was planted is left, and nothing else is gone."""
    return [
        Check("redacted copy: rows", rows, compared.rows),
        Check("redacted copy: planted values that are left", 0, compared.left),
        Check("redacted copy: rows that differ in anything else", 0, compared.changed),
        Check(
            "redacted copy: kinds with precision and recall 1",
            len(compared.measures),
            sum(each.is_ok for each in compared.measures),
        ),
    ]


def of_metadata(job: Job, *, rows: int) -> list[Check]:
    """The rows that can be read were counted."""
    return [Check("metadata: rows that can be read", rows, job["result"]["rows"])]


def of_training(
    job: Job, shards: Mapping[str, Path], truth: Truth, compared: Compared
) -> list[Check]:
    """Splits add up, and their parquet files hold each row once, as it is in the redacted copy."""
    result = job["result"]
    splits = {name: each["rows"] for name, each in result["splits"].items()}
    read: dict[str, int] = {}
    rows: Counter[int] = Counter()
    wrong = 0
    for path, file in sorted(shards.items()):
        table = pq.read_table(file, columns=["id", "text"])
        split = path.partition("-")[0]
        read[split] = read.get(split, 0) + table.num_rows
        numbers = table.column("id").to_pylist()
        rows.update(numbers)
        wrong += sum(
            compared.texts.get(number) != text
            for number, text in zip(numbers, table.column("text").to_pylist(), strict=True)
        )
    kept = len(truth.ids)
    return [
        Check("training: rows without repetition", kept, result["rows"]),
        Check(
            "training: repeated rows that were left out", len(truth.repeated), result["duplicates"]
        ),
        Check("training: broken rows that were left out", len(truth.broken), result["brokenRows"]),
        Check("training: splits add up", kept, sum(splits.values())),
        Check("training: parquet files hold what splits say", splits, read),
        Check(
            "training: rows in parquet files, each once", dict.fromkeys(truth.ids, 1), dict(rows)
        ),
        Check("training: rows whose text is not the redacted one", 0, wrong),
        *(
            Check(f"training: a tenth is for {name}", True, abs(splits[name] / kept - 0.1) < 0.01)  # noqa: FBT003, PLR2004
            for name in ("validation", "test")
        ),
    ]


def of_retrieval(jobs: Mapping[str, Job], texts: Texts) -> list[Check]:
    """Each row that can be read has a vector, and can be searched."""
    kept = texts.rows - texts.broken
    made, indexed = jobs["generate_embeddings"]["result"], jobs["index_dataset"]["result"]
    return [
        Check("retrieval: rows with a vector", kept, made["rows"]),
        Check("retrieval: broken rows", texts.broken, made["brokenRows"]),
        Check("retrieval: rows that can be searched", kept, indexed["rows"]),
    ]


def of_search(upload_id: str, texts: Texts, answers: Iterable[list[dict[str, Any]]]) -> list[Check]:
    """The first hit of each question is the row that answers it, as it is in the redacted copy."""
    return [
        Check(
            f"search: {needle.question}",
            (upload_id, needle.row, needle.text),
            (hits[0]["uploadId"], hits[0]["row"], hits[0]["text"]) if hits else None,
        )
        for needle, hits in zip(texts.needles, answers, strict=True)
    ]
