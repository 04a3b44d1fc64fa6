"""A whole upload with tracing on and logs at debug: what leaves the processes holds no secret."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import httpx
import msgspec
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from coordinator.cli.traces import read
from coordinator.embedded import Addresses
from tests.builders import uuid_of
from tests.sdk.installation import prepared, process, serving
from tests.tracing.collector import collecting
from tests.web.driving import CHUNK, a_file, cut, sha256

_NAME: Final = "canary-in-the-key.jsonl"
_DATA: Final = b'{"a": 1}\n' * (CHUNK // 9 + 1)


class Shown(msgspec.Struct):
    """All that came out of service and worker, and what must not stand in it."""

    spans: bytes
    logs: bytes
    secrets: dict[str, str]
    upload_id: str


def _leaks(shown: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Name the secrets that stand in what was shown, as they are or as a URL spells them."""
    folded = shown.lower()
    return [
        name
        for name, secret in secrets.items()
        if any(each.lower().encode() in folded for each in (secret, quote(secret, safe="")))
    ]


@pytest.fixture(scope="module")
def shown(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Run service and worker through one upload, and end them, so that nothing is held back."""
    folder = tmp_path_factory.mktemp("traced")
    environ, key = prepared(
        servers,
        database=f"traced_{uuid4().hex}",
        COORDINATOR_SECRET="a canary of the service, to be found in no span",
        COORDINATOR_LOG_LEVEL="debug",
    )
    with collecting() as (url, bodies):
        environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with (
            process(environ, folder / "worker.log", "work"),
            serving(environ, folder) as service,
            httpx.Client(
                base_url=service, headers={"Authorization": f"Bearer {key}"}, timeout=30.0
            ) as http,
        ):
            secrets, upload_id = _upload(http)
    secrets |= {
        "the API key": key,
        "the API key's secret": key.rpartition("_")[2],
        "the service's secret": environ["COORDINATOR_SECRET"],
        "the AWS secret": environ["AWS_SECRET_ACCESS_KEY"],
        "the upload's token": _token(environ, upload_id),
        **{name: name for name in ("X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token")},
    }
    logs = b"".join(path.read_bytes() for path in folder.glob("*.log"))
    return Shown(b"".join(bodies), logs, secrets, upload_id)


def _upload(http: httpx.Client) -> tuple[dict[str, str], str]:
    """Go through all of it, refusals too; return the secrets that came up, and the upload."""
    chunks = cut(_DATA)
    told = a_file(len(_DATA), fileName=_NAME, checksum=f"sha256:{sha256(_DATA)}")
    upload_id: str = http.post("/api/upload/init", json=told).json()["uploadId"]
    asked = [{"chunkIndex": at, "sha256": sha256(chunk)} for at, chunk in enumerate(chunks)]
    body = {"uploadId": upload_id, "chunks": asked}
    entries: list[dict[str, Any]] = http.post("/api/upload/urls", json=body).json()["chunks"]
    secrets = {}
    for entry, chunk in zip(entries, chunks, strict=True):
        early = http.post("/api/upload/complete", json={"uploadId": upload_id})
        assert early.status_code == 409
        query = parse_qs(urlsplit(entry["url"]).query)
        secrets[f"signature {entry['chunkIndex']}"] = query["X-Amz-Signature"][0]
        secrets["S3's id of the multipart"] = query["uploadId"][0]
        httpx.put(entry["url"], headers=entry["headers"], content=chunk).raise_for_status()
        report = {"uploadId": upload_id, "chunkIndex": entry["chunkIndex"], "etag": '"e"'}
        http.post("/api/upload/chunk", json=report).raise_for_status()
    http.post("/api/upload/complete", json={"uploadId": upload_id}).raise_for_status()
    _await_job(http, upload_id)
    location = http.get(f"/api/uploads/{upload_id}/download").headers["location"]
    secrets["the download's signature"] = parse_qs(urlsplit(location).query)["X-Amz-Signature"][0]
    assert _NAME in location
    return secrets, upload_id


def _await_job(http: httpx.Client, upload_id: str) -> None:
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        jobs = http.get(f"/api/uploads/{upload_id}/jobs").json()["jobs"]
        if [job["status"] for job in jobs] == ["succeeded"]:
            return
        time.sleep(0.1)
    pytest.fail("the job did not end")


def _token(environ: Mapping[str, str], upload_id: str) -> str:
    with psycopg.connect(environ["COORDINATOR_DATABASE_URL"]) as conn:
        query = "SELECT token FROM uploads WHERE id = %s"
        row = conn.execute(query, [uuid_of(upload_id)]).fetchone()
    assert row is not None
    return str(row[0])


def test_no_secret_leaves_in_a_span_or_a_log_line(shown: Shown) -> None:
    """Presigned URLs above all: whoever has one can write or read the object."""
    assert _leaks(shown.spans, shown.secrets) == []
    assert _leaks(shown.logs, shown.secrets) == []


def test_spans_do_not_even_hold_the_name_of_the_file(shown: Shown) -> None:
    """It stands in the object's key, which collectors have no use for."""
    assert _leaks(shown.spans, {"the file's name": _NAME, "the user": "alice"}) == []


def test_the_scan_sees_what_is_planted(shown: Shown) -> None:
    """Else the others would pass on anything: each secret is found by its name, quoted or not."""
    for name, secret in shown.secrets.items():
        for spelt in (secret, quote(secret, safe=""), secret.upper()):
            assert name in _leaks(shown.spans + spelt.encode(), shown.secrets)
    assert shown.upload_id.encode() in shown.spans
    assert shown.upload_id.encode() in shown.logs


def test_the_spans_are_those_of_the_whole_way(shown: Shown) -> None:
    """From the request that completes, over the worker that hashes, to the job: one trace."""
    spans = list(read(ExportTraceServiceRequest.FromString(shown.spans)))

    [job] = [span for span in spans if span.name == "run_job"]
    way = [span for span in spans if span.trace_id == job.trace_id]
    at: dict[str, set[str]] = {}
    for span in way:
        at.setdefault(span.name, set()).add(span.process)
    service, worker = {"coordinator-service"}, {"coordinator-worker"}
    expected = {
        "POST /api/upload/complete": service,
        "S3 CompleteMultipartUpload": service | worker,  # the job's card is written so, too
        "verify_object": worker,
        "S3 GetObject": worker,
        "run_job": worker,
    }
    assert {name: at.get(name) for name in expected} == expected
    failed = {(span.name, span.attributes["error.type"]) for span in spans if span.is_error}
    assert failed == {("drive_upload", "PartsMissingError")}
    # What a library prints when the process ends is no line of the log.
    lines = [json.loads(line) for line in shown.logs.splitlines() if line.startswith(b"{")]
    processes = {line["logger"] for line in lines if line.get("trace_id") == job.trace_id}
    assert {"coordinator.requests", "coordinator.worker.run_job"} <= processes
