"""The job against real objects: every format has its findings, and a copy without them."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from coordinator.domain.job_parameters import ScanPii
from coordinator.domain.kinds import Kind
from coordinator.jobs import scan_pii
from coordinator.jobs.object_reader import ObjectReader, ObjectSource
from coordinator.jobs.workspace import FatalJobError, Outcome, Workspace

Put = Callable[[bytes], ObjectSource]
MakeWorkspace = Callable[..., Workspace]
Scan = Callable[..., Outcome]
Policy = Literal["report", "redact", "block"]

_ROWS: Final = (
    {"id": 1, "contact": "bob@example.org", "note": "nothing here"},
    {"id": 2, "contact": "+49 30 1234567", "note": "pays by 4111 1111 1111 1111"},
    {"id": 3, "contact": "", "note": "order 4915112345 of 2024-01-02"},
    {"id": 4, "contact": "eve@example.org", "note": "eve@example.org, SSN 123-45-6789"},
)
_FOUND: Final = {
    ("email", "contact"): 2,
    ("email", "note"): 1,
    ("card", "note"): 1,
    ("phone", "contact"): 1,
    ("us_ssn", "note"): 1,
}
_SECRETS: Final = ("bob@", "eve@", "30 1234567", "4111 1111", "123-45")


def jsonl(rows: Any = _ROWS) -> bytes:
    """Write JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(delimiter: str, encoding: str = "utf-8") -> bytes:
    """Write csv."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(_ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(_ROWS)
    return out.getvalue().encode(encoding)


def parquet() -> bytes:
    """Write parquet of two row groups."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(_ROWS)), out, row_group_size=2)
    return out.getvalue()


@pytest.fixture
def scan(put: Put, workspace: MakeWorkspace) -> Scan:
    """Run the job over bytes, and see that its result is JSON and shows nothing."""

    def scan(
        body: bytes | ObjectSource, name: str, policy: Policy = "report", **narrowing: Any
    ) -> Outcome:
        source = body if isinstance(body, ObjectSource) else put(body)
        work = workspace(source, Kind.SCAN_PII, file_name=name)
        outcome = scan_pii.run(work, ScanPii(policy=policy, **narrowing))
        text = json.dumps(outcome.result, allow_nan=False)
        assert not [secret for secret in _SECRETS if secret in text]
        return outcome

    return scan


def counted(result: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Say what was found, by kind and column."""
    return {(c["kind"], c["column"].removeprefix("/")): c["count"] for c in result["findings"]}


def copy_of(source: ObjectSource, result: dict[str, Any]) -> tuple[ObjectSource, bytes]:
    """Read the redacted copy."""
    copy = msgspec.structs.replace(
        source,
        key=f"{source.key}/~artifacts/job_scan_pii/{result['redacted']['path']}",
        size=result["redacted"]["size"],
    )
    return copy, ObjectReader(copy).read(0, copy.size)


def test_the_whole_shape_of_a_result(scan: Scan) -> None:
    """Once, with all of its members."""
    outcome = scan(jsonl() + b"no JSON of eve@example.org\n", "a.jsonl", kinds=("email", "card"))

    assert outcome == Outcome(
        {
            "status": "done",
            "reason": None,
            "detail": None,
            "policy": "report",
            "kinds": ["email", "card"],
            "rows": 4,
            "brokenRows": 1,
            "rowsNotJudged": 0,
            "rowsWithFindings": 4,
            "findings": [
                {"kind": "email", "column": "", "count": 1},
                {"kind": "email", "column": "/contact", "count": 2},
                {"kind": "email", "column": "/note", "count": 1},
                {"kind": "card", "column": "/note", "count": 1},
            ],
            "samples": [
                {"kind": "email", "row": 0, "column": "/contact", "masked": "***@***"},
                {"kind": "email", "row": 3, "column": "/contact", "masked": "***@***"},
                {"kind": "email", "row": 3, "column": "/note", "masked": "***@***"},
                {"kind": "email", "row": 4, "column": "", "masked": "***@***"},
                {"kind": "card", "row": 1, "column": "/note", "masked": "***1111"},
            ],
            "redacted": None,
            "redactedFormat": None,
            "notes": [],
        },
        rows=5,
    )


_FORMATS: Final = {
    "a.jsonl": (jsonl(), "a.jsonl"),
    "b.jsonl.gz": (gzip.compress(jsonl(), mtime=0), "b.jsonl"),
    "c.jsonl.zst": (zstandard.compress(jsonl()), "c.jsonl"),
    "d.json": (json.dumps(_ROWS).encode(), "d.jsonl"),
    "e.csv": (table(","), "e.csv"),
    "f.csv": (table(";", "utf-16"), "f.csv"),
    "g.tsv.gz": (gzip.compress(table("\t"), mtime=0), "g.tsv"),
    "h.parquet": (parquet(), "h.jsonl"),
}


@pytest.mark.parametrize("name", sorted(_FORMATS))
def test_every_format_has_the_same_findings_and_a_copy_without_them(
    put: Put, scan: Scan, name: str
) -> None:
    """And the copy is of the same rows, under a name that says what it is."""
    body, copy_name = _FORMATS[name]
    source = put(body)

    outcome = scan(source, name, "redact")

    result = outcome.result
    copy, data = copy_of(source, result)
    assert (result["status"], counted(result), outcome.rows) == ("done", _FOUND, 4)
    assert result["redacted"]["path"] == f"redacted/{copy_name}"
    assert not [secret for secret in _SECRETS if secret.encode() in data]
    again = scan(copy, copy_name).result
    assert (again["rows"], again["findings"], again["rowsWithFindings"]) == (4, [], 0)
    assert b"order 4915112345 of 2024-01-02" in data
    assert data.count(b"<EMAIL>") == 3
    assert scan(source, name, "redact") == outcome, "the same again, to the byte"


def test_lines_without_findings_stay_as_they_are(put: Put, scan: Scan) -> None:
    """Spaces, escapes, blank lines, broken ones and numbers of any spelling."""
    clean = b'{"a":  1.10, "b": "\\u00e9"}\n' * 5_000 + b'\n{"broken": \n{"n": 1e400}\n\xff\xfe\n'
    source = put(clean + b'{"a": "bob@example.org"}\n' + clean)

    result = scan(source, "a.jsonl", "redact").result

    assert copy_of(source, result)[1] == clean + b'{"a":"<EMAIL>"}\n' + clean


def test_text_is_judged_line_by_line(put: Put, scan: Scan) -> None:
    """Whatever its bytes."""
    letter = b"Dear Bob\n" * 10_000
    source = put(letter + b"mail bob@example.org \xff\n\nor +49 30 1234567\n")

    result = scan(source, "a.txt", "redact").result

    assert counted(result) == {("email", ""): 1, ("phone", ""): 1}
    assert copy_of(source, result)[1] == letter + b"mail <EMAIL> \xff\n\nor <PHONE>\n"


def test_a_row_that_cannot_be_judged_is_not_in_the_copy(put: Put, scan: Scan) -> None:
    """A row of nine megabytes is not read to its end, nor are fields that have no column."""
    giant = b'{"a": "' + b"x" * 9_000_000 + b'"}\n'
    lines = put(giant + b'{"a": 1}\n')

    result = scan(lines, "a.jsonl", "redact").result

    assert (result["status"], result["reason"]) == ("partial", "rows-not-judged")
    assert copy_of(lines, result)[1] == b'{"a": 1}\n'

    fields = put(b"a,b\n1,2\n1,2,bob@example.org\n3,\n")
    result = scan(fields, "a.csv", "redact").result
    assert (result["rows"], result["brokenRows"], result["rowsNotJudged"]) == (2, 1, 1)
    assert copy_of(fields, result)[1] == b"a,b\n1,2\n3,\n"


def test_names_of_columns_are_judged_once(put: Put, scan: Scan) -> None:
    """A file without its header has its first row in the place of one."""
    source = put(b"bob@example.org,x\n1,2\n3,4\n")

    result = scan(source, "a.csv", "redact").result

    assert counted(result) == {("email", "<EMAIL>"): 1}
    assert result["samples"][0]["row"] is None
    assert copy_of(source, result)[1] == b"<EMAIL>,x\n1,2\n3,4\n"


def test_policies_block_and_report(scan: Scan) -> None:
    """Only findings block; without any there is nothing to copy."""
    assert scan(jsonl(), "a.jsonl", "block").blocks == "pii-found"
    assert scan(jsonl(), "a.jsonl", "report").blocks is None
    assert scan(jsonl(_ROWS[2:3]), "a.jsonl", "block").blocks is None
    clean = scan(jsonl(_ROWS[2:3]), "a.jsonl", "redact").result
    assert (clean["status"], clean["redacted"]) == ("done", None)


@pytest.mark.parametrize(
    ("body", "policy", "blocks"),
    [
        (bytes(range(256)), "block", "not-scanned"),
        (bytes(range(256)), "redact", "not-scanned"),
        (bytes(range(256)), "report", None),
        (b"", "block", None),
        (b"a,b\n1,2\n1,2,3\n", "block", "not-scanned"),
    ],
    ids=["binary", "binary, redact", "binary, report", "empty", "a broken row"],
)
def test_what_nobody_could_judge_is_not_let_through(
    scan: Scan, body: bytes, policy: Policy, blocks: str | None
) -> None:
    """Under a policy that keeps personal data in, not knowing is no permission."""
    name = "a.csv" if b"," in body and len(body) < 50 else "a.bin"

    assert scan(body, name, policy).blocks == blocks


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("a.csv", b"", "empty"),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n", "not-a-table"),
        ("a.parquet", b"PAR1" + b"x" * 500, "damaged"),
        ("a.jsonl.gz", b"\x1f\x8b\x08" + b"x" * 50, "damaged"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"x" * 50, "damaged"),
    ],
)
@pytest.mark.parametrize("policy", ["report", "redact", "block"])
def test_what_has_no_rows_is_skipped(
    scan: Scan, name: str, body: bytes, reason: str, policy: Policy
) -> None:
    """A job that raised would be tried again and again on the same bytes."""
    outcome = scan(body, name, policy)

    assert (outcome.result["status"], outcome.result["reason"]) == ("skipped", reason)
    assert outcome.result["detail"]


def test_a_file_that_ends_too_early_is_judged_and_copied_so_far(put: Put, scan: Scan) -> None:
    """What was not read is in no copy."""
    whole = gzip.compress(jsonl(_ROWS * 1_000), mtime=0)
    source = put(whole[:-200])

    result = scan(source, "a.jsonl.gz", "redact").result

    copy, data = copy_of(source, result)
    assert (result["status"], result["reason"]) == ("partial", "damaged")
    assert b"bob@" not in data
    assert scan(copy, "a.jsonl").result["findings"] == []


def test_kinds_and_countries_that_nobody_knows_fail_the_job(scan: Scan) -> None:
    """A misspelt kind under the policy ``block`` must not let everything through."""
    for narrowing in ({"kinds": ("e-mail",)}, {"countries": ("XX",)}):
        with pytest.raises(FatalJobError) as failure:
            scan(jsonl(), "a.jsonl", "block", **narrowing)
        assert failure.value.code == "unknown-pii-kind"


def test_samples_are_the_first_twenty_over_all_pieces(scan: Scan) -> None:
    """Rows are numbered through the whole file, and columns do not grow without end."""
    rows = [{"pad": "x" * 60_000, f"u{n}": "bob@example.org"} for n in range(300)]

    result = scan(jsonl(rows), "a.jsonl", kinds=("email",)).result

    assert [each["row"] for each in result["samples"]] == list(range(20))
    assert sum(each["count"] for each in result["findings"]) == 300
    assert len(result["findings"]) == 201
    assert result["findings"][0]["column"] == "(other columns)"


_MODEL: Final = """
import spacy

def load(**_):
    model = spacy.blank("en")
    rules = model.add_pipe("entity_ruler")
    rules.add_patterns([{"label": "PERSON", "pattern": "Bob Adams"}])
    return model
"""


def test_names_are_looked_for_where_a_model_is_installed(
    put: Put, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model says by an entry point that it is one; without any, the result says so."""
    source = put(jsonl([{"a": "ask Bob Adams"}, {"a": "ask nobody"}]))
    without = scan(source, "a.jsonl").result
    (tmp_path / "xx_names.py").write_text(_MODEL)
    about = tmp_path / "xx_names-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: xx_names\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[spacy_models]\nxx_names = xx_names\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    result = scan(source, "a.jsonl", "redact", kinds=("name",)).result

    assert without["notes"] == ["Names were not looked for: no spaCy model is installed."]
    assert "name" not in without["kinds"]
    assert counted(result) == {("name", "a"): 1}
    assert copy_of(source, result)[1] == b'{"a":"ask <NAME>"}\n{"a": "ask nobody"}\n'
