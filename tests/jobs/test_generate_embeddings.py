"""Vectors of rows: the right text of the right row, always the same bytes, told refusals."""

import gzip
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coordinator.adapters.embedders import EmbedderAwayError, open_embedder
from coordinator.domain.embedders import EndpointSetting, LocalSetting
from coordinator.domain.job_parameters import GenerateEmbeddings
from coordinator.domain.kinds import Kind
from coordinator.jobs import embed_rows, generate_embeddings
from coordinator.jobs.executors import open_executor
from coordinator.jobs.generate_embeddings import run
from coordinator.jobs.object_reader import ObjectReader
from coordinator.jobs.pieces import cut
from coordinator.jobs.stopping import FatalJobError, StoppedError
from coordinator.jobs.workspace import Options, Workspace
from tests.embedding_server import KEY, Asked, answer, embedding_server, vectors
from tests.jobs.conftest import MakeWorkspace, Put

_LOCAL = LocalSetting(model="wordllama")
_ROWS = (
    b'{"id": "r-0", "text": "The first row is about cats."}\n'
    b"\n"
    b"this is no json\n"
    b'{"id": "r-2", "text": "   "}\n'
    b'{"id": "r-3"}\n'
    b'{"id": "r-4", "text": "The last one is about ships."}\n'
)


@pytest.fixture
def asked() -> Iterator[Asked]:
    """An endpoint on loopback."""
    with embedding_server() as opened:
        yield opened


def work_on(
    workspace: MakeWorkspace,
    put: Put,
    body: bytes,
    *,
    embedder: LocalSetting | EndpointSetting | None = _LOCAL,
    **named: Any,
) -> Workspace:
    """A workspace on an object of these bytes."""
    return workspace(
        put(body), Kind.GENERATE_EMBEDDINGS, options=Options(embedder=embedder), **named
    )


def result_of(work: Workspace, **parameters: Any) -> dict[str, Any]:
    """Run the job, and see that its result is JSON."""
    outcome = run(work, GenerateEmbeddings(**parameters))
    found: dict[str, Any] = json.loads(json.dumps(outcome.result))
    return found


def files_of(work: Workspace) -> list[bytes]:
    """Read the artifacts back."""
    sources = [work._host.source(each.key, each.size_bytes) for each in work.written]
    return [ObjectReader(each).read(0, each.size) for each in sources]


def tables_of(work: Workspace) -> list[pa.Table]:
    """Read the artifacts as anybody would."""
    return [pq.read_table(BytesIO(file)) for file in files_of(work)]


def rows_of(work: Workspace) -> list[tuple[int, str]]:
    """Return numbers and texts of all artifacts."""
    table = pa.concat_tables(tables_of(work))
    return list(zip(table["row"].to_pylist(), table["text"].to_pylist(), strict=True))


def test_each_row_with_text_has_a_vector(workspace: MakeWorkspace, put: Put) -> None:
    """Rows keep their numbers, whatever is missing between them."""
    work = work_on(workspace, put, _ROWS)

    found = result_of(work)

    (file,) = found.pop("artifacts")
    assert found == {
        "status": "partial",
        "reason": "broken-rows",
        "detail": "1 of 5 rows could not be read.",
        "column": "text",
        "model": "wordllama/l2_supercat",
        "dimensions": 256,
        "rows": 2,
        "skippedRows": 2,
        "brokenRows": 1,
    }
    assert (file["path"], file["rows"]) == ("embeddings-00000-of-00001.parquet", 2)
    assert rows_of(work) == [
        (0, "The first row is about cats."),
        (4, "The last one is about ships."),
    ]


def test_the_vectors_are_those_of_the_texts(workspace: MakeWorkspace, put: Put) -> None:
    """In the precision in which they are searched, and of one length."""
    work = work_on(workspace, put, _ROWS)
    result_of(work)

    (table,) = tables_of(work)

    embedder = open_embedder(_LOCAL, patience_s=0.0)
    expected = embedder.embed(["The first row is about cats.", "The last one is about ships."])
    kept = table["vector"].combine_chunks()
    assert table.schema.field("vector").type == pa.list_(pa.float16(), 256)
    assert kept.flatten().buffers()[1].to_pybytes()[: 2 * 512] == b"".join(
        each or b"" for each in expected
    )


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("t.csv", b"id,text\n1,one two three\n2,four five six\n"),
        ("t.tsv", b"id\ttext\n1\tone two three\n2\tfour five six\n"),
        ("t.json", b'[{"text": "one two three"}, {"text": "four five six"}]'),
        ("t.txt", b"one two three\nfour five six\n"),
        ("t.jsonl.gz", gzip.compress(b'{"t": "one two three"}\n{"t": "four five six"}\n', mtime=0)),
    ],
)
def test_every_format_of_rows_is_read(
    workspace: MakeWorkspace, put: Put, name: str, body: bytes
) -> None:
    """What one format can do, all can."""
    work = work_on(workspace, put, body, file_name=name)

    found = result_of(work)

    assert (found["status"], found["rows"]) == ("done", 2)
    assert rows_of(work) == [(0, "one two three"), (1, "four five six")]


def test_parquet_is_read(workspace: MakeWorkspace, put: Put) -> None:
    """Its row groups, one after the other."""
    sink = BytesIO()
    table = pa.table({"n": [1, 2, 3], "words": ["one", None, "three"]})
    pq.write_table(table, sink, row_group_size=1)
    work = work_on(workspace, put, sink.getvalue(), file_name="t.parquet")

    found = result_of(work)

    assert (found["column"], found["skippedRows"]) == ("words", 1)
    assert rows_of(work) == [(0, "one"), (2, "three")]


def test_a_conversation_is_embedded_as_a_whole(workspace: MakeWorkspace, put: Put) -> None:
    """All that was said, in its order."""
    said = [
        {"role": "user", "content": "Where is the station?"},
        {"role": "assistant", "content": [{"type": "text", "text": "Over there."}, {"x": 1}]},
        {"role": "tool", "content": None},
    ]
    work = work_on(workspace, put, json.dumps({"id": "a", "messages": said}).encode() + b"\n")

    found = result_of(work)

    assert found["column"] == "messages"
    assert rows_of(work) == [(0, "Where is the station?\nOver there.")]


def test_a_column_can_be_named(workspace: MakeWorkspace, put: Put) -> None:
    """The longest one is only a guess."""
    work = work_on(workspace, put, _ROWS)

    found = result_of(work, column="id")

    assert (found["column"], found["rows"]) == ("id", 4)
    assert rows_of(work)[0] == (0, "r-0")


@pytest.mark.parametrize(
    ("body", "parameters", "reason"),
    [
        (b"", {}, "empty"),
        (b"%PDF-1.7 and so on", {}, "not-a-table"),
        (b'{"n": 1}\n{"n": 2}\n', {}, "no-text-column"),
        (_ROWS, {"column": "body"}, "column-not-found"),
        (gzip.compress(_ROWS, mtime=0)[:-12], {}, "damaged"),
    ],
)
def test_what_has_no_text_is_skipped_with_a_reason(
    workspace: MakeWorkspace, put: Put, body: bytes, parameters: Any, reason: str
) -> None:
    """No exception, no artifact."""
    work = work_on(workspace, put, body)

    found = result_of(work, **parameters)

    assert (found["status"], found["reason"], found["rows"]) == ("skipped", reason, 0)
    assert found["detail"]
    assert work.written == []


def test_without_a_model_nothing_is_read(workspace: MakeWorkspace, put: Put) -> None:
    """The pipeline goes on; there is only nothing to search."""
    work = work_on(workspace, put, _ROWS, embedder=None)

    found = result_of(work)

    assert (found["status"], found["reason"]) == ("skipped", "no-model")


def test_many_pieces_and_files_give_what_one_gives(
    workspace: MakeWorkspace, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the object is cut, each row has its own number, text and vector."""
    lines = [{"text": f"row {number} " + "w" * (number % 90)} for number in range(3_000)]
    lines[1_500] = {"text": ""}
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    one = work_on(workspace, put, body)
    result_of(one)
    monkeypatch.setattr(generate_embeddings, "_PIECE_NUMBERS", 10_000 * 256)
    monkeypatch.setattr(generate_embeddings, "_FILE_BYTES", 50_000)
    many = work_on(workspace, put, body)

    found = result_of(many)

    assert len(one.written) == 1
    assert len(many.written) == len(found["artifacts"]) > 3
    assert [each["path"] for each in found["artifacts"]][:1] == [
        f"embeddings-00000-of-{len(many.written):05}.parquet"
    ]
    assert sum(each["rows"] for each in found["artifacts"]) == 2_999
    assert rows_of(many) == rows_of(one)
    joined = [pa.concat_tables(tables_of(work))["vector"].to_pylist() for work in (one, many)]
    assert joined[0] == joined[1]


def test_a_piece_with_very_many_rows_is_embedded_here(
    workspace: MakeWorkspace, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors are longer than lines: what a process sends has a bound all the same."""
    body = b"".join(b"%d\n" % number for number in range(3_000))
    one = work_on(workspace, put, body, file_name="t.txt")
    result_of(one)
    monkeypatch.setattr(embed_rows, "_MOST_BYTES", 500_000)
    here = work_on(workspace, put, body, file_name="t.txt")

    result_of(here)

    assert embed_rows.embed_piece(cut(here.reader(), here.detected())[0], _LOCAL, None).is_too_much
    assert files_of(here) == files_of(one)


def test_pieces_are_embedded_in_other_processes(workspace: MakeWorkspace, put: Put) -> None:
    """They give what this one gives."""
    here, there = (work_on(workspace, put, _ROWS) for _ in range(2))
    with open_executor(1, None) as executor:
        there._executor = executor

        results = [result_of(work) for work in (here, there)]

    assert results[0] == results[1]
    assert files_of(here) == files_of(there)


def test_the_same_job_gives_the_same_bytes(workspace: MakeWorkspace, put: Put) -> None:
    """Another attempt changes nothing."""
    first, second = work_on(workspace, put, _ROWS), work_on(workspace, put, _ROWS)

    results = [result_of(work) for work in (first, second)]

    assert results[0] == results[1]
    assert files_of(first) == files_of(second)


def test_an_endpoint_is_asked_from_here(workspace: MakeWorkspace, put: Put, asked: Asked) -> None:
    """And its key is in nothing that is written."""
    setting = EndpointSetting(url=asked.url, model="m", api_key=KEY)
    work = work_on(workspace, put, _ROWS, embedder=setting)

    found = result_of(work)

    assert (found["model"], found["dimensions"], found["rows"]) == ("m", 64, 2)
    assert [text for texts in asked.texts for text in texts][1:] == [
        "The first row is about cats.",
        "The last one is about ships.",
    ]
    assert KEY not in json.dumps(found)
    assert KEY.encode() not in b"".join(files_of(work))


def test_an_endpoint_that_refuses_ends_the_job(
    workspace: MakeWorkspace, put: Put, asked: Asked
) -> None:
    """Trying again would cost and not help."""
    asked.next.append(lambda handler, _: answer(handler, 401, {"error": KEY}))
    setting = EndpointSetting(url=asked.url, model="m", api_key=KEY)
    work = work_on(workspace, put, _ROWS, embedder=setting)

    with pytest.raises(FatalJobError) as refusal:
        result_of(work)

    assert refusal.value.code == "embeddings-refused"
    assert KEY not in str(refusal.value)
    assert work.written == []


def test_an_endpoint_that_is_away_lets_the_job_be_tried_again(
    workspace: MakeWorkspace, put: Put, asked: Asked
) -> None:
    """It is no fault of the object's."""
    asked.next.append(lambda handler, _: answer(handler, 503, {}, {"Retry-After": "3600"}))
    work = work_on(workspace, put, _ROWS, embedder=EndpointSetting(url=asked.url, model="m"))

    with pytest.raises(EmbedderAwayError):
        result_of(work)


def test_an_endpoint_that_changes_its_dimensions_is_refused(
    workspace: MakeWorkspace, put: Put, asked: Asked
) -> None:
    """A file has one number of them."""
    asked.next.append(lambda handler, body: answer(handler, 200, vectors(body, dimensions=8)))
    work = work_on(workspace, put, _ROWS, embedder=EndpointSetting(url=asked.url, model="m"))

    with pytest.raises(FatalJobError, match="embeddings-refused"):
        result_of(work)

    assert work.written == []


def test_a_job_that_is_cancelled_stops(workspace: MakeWorkspace, put: Put, asked: Asked) -> None:
    """Between two questions to the endpoint."""
    work = work_on(workspace, put, _ROWS, embedder=EndpointSetting(url=asked.url, model="m"))
    work._stopped.set()

    with pytest.raises(StoppedError):
        result_of(work)

    assert len(asked.bodies) == 1
