"""What a request's trace holds: the stores under it, the worker after it, and how it ended."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from litestar import Litestar
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from psycopg import sql

from coordinator import tracing
from coordinator.adapters.stores import Stores
from coordinator.settings import Settings
from coordinator.web import complete as complete_module
from coordinator.worker.run import _app
from tests.tracing.collector import below, id_of, named, recording, told, trace_of
from tests.web.driving import NO_UPLOAD, complete, opened, sent

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_COMPLETE = "POST /api/upload/complete"
_STATUS = "GET /api/upload/status/{upload_id}"
_CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    """All spans of the test."""
    with recording() as exporter:
        yield exporter


async def _work(stores: Stores, settings: Settings) -> None:
    """Let a worker empty the queue."""
    worker = _app(stores, settings)
    async with worker.open_async():
        await worker.run_worker_async(wait=False, install_signal_handlers=False)


async def _ready(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> str:
    upload_id = await opened(client, 3)
    await sent(client, s3_http, upload_id, {0: b"abc"})
    return upload_id


def _calls(spans: list[ReadableSpan], start: str) -> list[str]:
    return [span.name for span in spans if span.name.startswith(start)]


async def test_a_completion_is_one_trace_from_the_request_to_the_job(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    kept: InMemorySpanExporter,
) -> None:
    """Request, lease, S3, commit, and the job that the commit made due, each under its cause."""
    upload_id = await _ready(client, s3_http)
    kept.clear()

    answer = await complete(client, upload_id)
    await _work(stores, settings)

    assert answer.status_code == 200
    spans = kept.get_finished_spans()
    request, drive = named(spans, _COMPLETE), named(spans, "drive_upload")
    job = named(spans, "run_job")
    assert {trace_of(span) for span in spans} == {trace_of(request)}
    assert (request.kind, request.parent, request.status.status_code) == (
        SpanKind.SERVER,
        None,
        StatusCode.UNSET,
    )
    assert told(request) == {
        "http.request.method": "POST",
        "http.route": "/api/upload/complete",
        "http.response.status_code": 200,
        "coordinator.request_id": answer.headers["x-request-id"],
        "coordinator.upload_id": upload_id,
    }
    assert drive in below(spans, request)
    assert told(drive) == {
        "coordinator.upload_id": upload_id,
        "coordinator.intent": "complete",
        "coordinator.attempt": 1,
    }
    driven = below(spans, drive)
    assert _calls(driven, "S3") == [
        "S3 ListParts",
        "S3 CompleteMultipartUpload",
        "S3 GetObject",
        "S3 PutObject",
    ]
    assert _calls(driven, "Redis") == ["Redis forget"]
    (commit,) = [span for span in driven if "INSERT manifests" in span.name]
    assert commit.name.startswith("UPDATE uploads, INSERT manifests, DELETE signings, INSERT jobs")
    assert told(commit) == {"db.system.name": "postgresql", "db.query.summary": commit.name}
    assert told(named(spans, "S3 ListParts")) == {
        "rpc.system.name": "aws-api",
        "rpc.method": "S3/ListParts",
    }
    assert job in driven
    assert job.kind is SpanKind.CONSUMER
    assert told(job)["coordinator.job_kind"] == "generate_metadata"
    assert "UPDATE jobs" in [span.name for span in below(spans, job)][-1].split(", ")


async def test_a_caller_that_traces_finds_our_spans_in_its_trace(
    client: httpx.AsyncClient, kept: InMemorySpanExporter
) -> None:
    """W3C trace context; a header that is none begins a trace of our own."""
    upload_id = await opened(client, 3)
    kept.clear()

    for value in (_CALLER, "00-nonsense"):
        await client.get(f"/api/upload/status/{upload_id}", headers={"traceparent": value})

    traced, own = [span for span in kept.get_finished_spans() if span.name == _STATUS]
    assert traced.parent is not None
    assert f"{trace_of(traced):032x}-{traced.parent.span_id:016x}" == _CALLER[3:-3]
    assert traced.parent.is_remote
    assert own.parent is None
    assert trace_of(own) != trace_of(traced)


async def test_what_outlasts_its_request_stays_in_its_trace(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    app: Litestar,
    kept: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """202 has been answered, the request's span has ended, and S3 is still being asked."""
    upload_id = await _ready(client, s3_http)
    kept.clear()
    monkeypatch.setattr(complete_module, "WAIT_SECONDS", 0.0)

    answer = await complete(client, upload_id)
    await asyncio.gather(*app.state.background)

    assert answer.status_code == 202
    spans = kept.get_finished_spans()
    request, drive = named(spans, _COMPLETE), named(spans, "drive_upload")
    assert (request.end_time or 0) < (drive.start_time or 0)
    assert drive.parent is not None
    assert drive.parent.span_id == id_of(request)
    assert "S3 CompleteMultipartUpload" in [span.name for span in below(spans, drive)]
    assert {trace_of(span) for span in spans} == {trace_of(request)}


async def test_a_fault_of_ours_is_told_by_its_type_and_nothing_else(
    client: httpx.AsyncClient, stores: Stores, kept: InMemorySpanExporter
) -> None:
    """Messages of exceptions hold URLs and values, their tracebacks the locals."""
    upload_id = await opened(client, 3)
    kept.clear()
    async with stores.pool.connection() as conn:
        await conn.execute(sql.SQL("ALTER TABLE uploads RENAME TO hidden"))
        try:
            answer = await client.get(f"/api/uploads/{upload_id}/manifest")
        finally:
            await conn.execute(sql.SQL("ALTER TABLE hidden RENAME TO uploads"))

    assert answer.status_code == 500
    spans = kept.get_finished_spans()
    failed = {span.name: span for span in spans if not span.status.is_ok}
    assert set(failed) == {"GET /api/uploads/{upload_id}/manifest", "SELECT uploads"}
    for span in failed.values():
        assert told(span)["error.type"] == "UndefinedTable"
        assert (span.status.description, list(span.events)) == (None, [])


async def test_a_refusal_is_no_error(client: httpx.AsyncClient, kept: InMemorySpanExporter) -> None:
    """Otherwise anybody could ring the operator's bell with ids that do not exist."""
    answer = await client.get(f"/api/upload/status/{NO_UPLOAD}")

    assert answer.status_code == 404
    spans = kept.get_finished_spans()
    assert told(named(spans, _STATUS))["http.response.status_code"] == 404
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}


async def test_machines_that_watch_leave_no_traces(
    client: httpx.AsyncClient, stores: Stores, kept: InMemorySpanExporter
) -> None:
    """Probes come every few seconds; so do the worker's own looks into the database."""
    answers = [await client.get(path) for path in ("/healthz", "/readyz", "/metrics")]
    async with stores.pool.connection() as conn:
        await conn.execute("SELECT 1")
    await stores.bucket.check()

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert kept.get_finished_spans() == ()


async def test_an_entry_from_before_tracing_runs_in_a_trace_of_its_own(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """The queue outlives releases and settings."""
    upload_id = await _ready(client, s3_http)
    assert (await complete(client, upload_id)).status_code == 200
    async with stores.pool.connection() as conn:
        query = "SELECT args FROM procrastinate_jobs ORDER BY id DESC LIMIT 1"
        newest = await (await conn.execute(query)).fetchone()

    with recording() as kept:
        await _work(stores, settings)

    assert newest is not None
    assert set(newest["args"]) == {"job_id"}
    spans = [span for span in kept.get_finished_spans() if span.name == "run_job"]
    [parent] = [span.parent for span in spans if told(span)[tracing.UPLOAD_ID] == upload_id]
    assert parent is None
    assert tracing.trace_id() is None
