"""`make canary`: a whole run at log level debug with tracing on; no sink holds a secret of it.

The secrets are those that were really used, the sinks are read as bytes, the run goes wrong in
every way that tempts somebody to write one down.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import msgspec
import psycopg
import pytest
from psycopg import sql

from coordinator import settings as settings_module
from coordinator.cli.keys import create_key
from coordinator.embedded import Addresses
from coordinator.redaction import HIDDEN
from tests.sdk.installation import free_port, prepared, process, serving
from tests.tracing.collector import collecting
from tests.tracing.sinks import leaks, redis_dump, rows
from tests.web.driving import CHUNK, a_file, cut, sha256

_DATA: Final = b'{"mail": "a@example.org"}\n' * (CHUNK // 26 + 1)
_FAULT: Final = """
CREATE FUNCTION canary() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'GET % failed, key %', {url}, {key}; END $$;
CREATE TRIGGER canary BEFORE INSERT ON uploads FOR EACH ROW EXECUTE FUNCTION canary();
"""
_NO_FAULT: Final = "DROP TRIGGER canary ON uploads; DROP FUNCTION canary();"


class Run(msgspec.Struct):
    """What was used, and what is left."""

    secrets: dict[str, str] = {}
    sinks: dict[str, bytes] = {}
    statuses: list[int] = []
    upload_ids: list[str] = []


class _Caller:
    """Calls the service, and keeps what it answers, but where a secret is handed out."""

    def __init__(self, url: str, key: str, run: Run) -> None:
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0
        )
        self._run = run
        self.shown: list[bytes] = []

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, method: str, path: str, *, hands_out: bool = False, **more: Any) -> Any:
        """Send a request and return what the body says."""
        answer = self._http.request(method, path, **more)
        self._run.statuses.append(answer.status_code)
        if not (hands_out and answer.status_code < 400):
            self.shown.append(repr(answer.headers).encode() + answer.content)
        return answer.json() if answer.content else None

    def post(self, path: str, *, hands_out: bool = False, **body: Any) -> Any:
        """Send a body."""
        return self.call("POST", path, hands_out=hands_out, json=body)

    def opened(self, size: int, **more: Any) -> str:
        """Open an upload with a token; the token is a secret from now on."""
        body = a_file(size, uploadToken=True, **more)
        answer = self.post("/api/upload/init", hands_out=True, **body)
        self._run.secrets[f"upload token of {answer['uploadId']}"] = answer["uploadToken"]
        self._run.upload_ids.append(answer["uploadId"])
        return str(answer["uploadId"])

    def signed(self, upload_id: str, chunks: list[bytes]) -> list[dict[str, Any]]:
        """Sign chunks; all that stands in the URLs' queries is secret."""
        asked = [{"chunkIndex": at, "sha256": sha256(data)} for at, data in enumerate(chunks)]
        answer = self.post("/api/upload/urls", hands_out=True, uploadId=upload_id, chunks=asked)
        for entry in answer["chunks"]:
            self.note(f"URL {entry['chunkIndex']} of {upload_id}", entry["url"])
        entries: list[dict[str, Any]] = answer["chunks"]
        return entries

    def note(self, name: str, url: str) -> None:
        """Keep what makes a URL work."""
        query = urlsplit(url).query
        values = parse_qs(query)
        self._run.secrets[f"query of {name}"] = query
        for part in ("X-Amz-Signature", "X-Amz-Credential", "uploadId"):
            if part in values:
                self._run.secrets[f"{part} of {name}"] = values[part][0]


@pytest.fixture(scope="module")
def run(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Go through everything, end the processes, and collect what they left."""
    folder, run = tmp_path_factory.mktemp("canary"), Run()
    port = free_port()
    environ, key = prepared(
        servers,
        database=f"canary_{uuid4().hex}",
        COORDINATOR_SECRET=f"a canary of the service {uuid4().hex}",
        COORDINATOR_LOG_LEVEL="debug",
        COORDINATOR_WORKER_METRICS_PORT=str(port),
    )
    database_url = environ["COORDINATOR_DATABASE_URL"]
    run.secrets |= _of_installation(environ, key)
    with collecting() as (collector, spans):
        environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with (
            process(environ, folder / "worker.log", "work"),
            serving(environ, folder) as url,
            closing(_Caller(url, key, run)) as caller,
            closing(_Caller(url, _expired(environ, run), run)) as stranger,
        ):
            _upload(caller, run)
            _go_wrong(caller, environ, run)
            _call_without_right(stranger, caller)
            run.sinks |= {
                "metrics of the service": httpx.get(f"{url}/metrics").content,
                "metrics of the worker": httpx.get(f"http://127.0.0.1:{port}/metrics").content,
                "Redis": redis_dump(environ["COORDINATOR_REDIS_URL"]),
                "answers": b"\n".join(caller.shown),
            }
    run.sinks |= {f"log {path.name}": path.read_bytes() for path in folder.glob("*.log")}
    run.sinks |= {"spans": b"".join(spans), **rows(database_url)}
    with psycopg.connect(database_url) as conn:
        kept = conn.execute("SELECT id::text, multipart_id, token::text FROM uploads").fetchall()
    for row_id, multipart_id, token in kept:
        run.secrets |= {f"S3's id of {row_id}": multipart_id, f"token of {row_id}": token}
    return run


def _of_installation(environ: Mapping[str, str], key: str) -> dict[str, str]:
    found = {
        "API key": key,
        "secret of the API key": key.rpartition("_")[2],
        "COORDINATOR_SECRET": environ["COORDINATOR_SECRET"],
        "AWS_SECRET_ACCESS_KEY": environ["AWS_SECRET_ACCESS_KEY"],
    }
    password = urlsplit(environ["COORDINATOR_DATABASE_URL"]).password
    return found | ({"password of the database": password} if password else {})


def _upload(caller: _Caller, run: Run) -> None:
    """Upload a file whose first chunk S3 refuses at first, and wait for its jobs."""
    chunks = cut(_DATA)
    upload_id = caller.opened(len(_DATA), checksum=f"sha256:{sha256(_DATA)}")
    caller.post("/api/upload/complete", uploadId=upload_id)
    for entry, chunk in zip(caller.signed(upload_id, chunks), chunks, strict=True):
        refused = httpx.put(entry["url"], headers=entry["headers"], content=b"X" + chunk[1:])
        assert refused.status_code in {400, 403}
        httpx.put(entry["url"], headers=entry["headers"], content=chunk).raise_for_status()
        caller.post("/api/upload/chunk", uploadId=upload_id, chunkIndex=entry["chunkIndex"])
    caller.post("/api/upload/complete", uploadId=upload_id)
    deadline = time.monotonic() + 60.0
    while not _is_done(caller.call("GET", f"/api/uploads/{upload_id}/jobs")["jobs"]):
        assert time.monotonic() < deadline, "the jobs did not end"
        time.sleep(0.2)
    for path in (
        f"/api/upload/status/{upload_id}?verify=true",
        f"/api/uploads/{upload_id}/manifest",
    ):
        caller.call("GET", path)
    told = caller.call(
        "GET",
        f"/api/uploads/{upload_id}/download",
        hands_out=True,
        headers={"Accept": "application/json"},
    )
    caller.note("the download", told["url"])
    run.statuses.append(httpx.get(told["url"]).status_code)


def _is_done(jobs: list[dict[str, Any]]) -> bool:
    return bool(jobs) and {job["status"] for job in jobs} <= {"succeeded", "failed"}


def _go_wrong(caller: _Caller, environ: Mapping[str, str], run: Run) -> None:
    """Abort, send what is refused with secrets in it, and meet a fault that speaks of them."""
    upload_id = caller.opened(3)
    [entry] = caller.signed(upload_id, [b"abc"])
    url, key = entry["url"], run.secrets["API key"]
    caller.post("/api/upload/urls", uploadId=upload_id, chunks=[{"chunkIndex": 0, "sha256": url}])
    caller.post("/api/upload/chunk", uploadId=upload_id, chunkIndex=0, etag=url)
    caller.post("/api/upload/complete", uploadId=url, checksum=key)
    caller.post("/api/upload/init", **a_file(3, fileName=url, fileType=key))
    caller.post("/api/upload/init", **a_file(3, checksum=key, metadata={"purpose": key}))
    caller.post("/api/upload/init", **a_file(3), apiKey=1)
    caller.call("GET", f"/api/upload/status/{upload_id}?verify={key}")
    caller.call("GET", f"/api/nothing?key={key}")
    caller.call("GET", f"/api/{key}")
    caller.call("POST", "/api/upload/init", content=f'{{"a": "{key}'.encode())
    caller.call("POST", "/api/upload/init", headers={"Idempotency-Key": f"{key} {key}"}, json={})
    caller.call("DELETE", f"/api/uploads/{upload_id}")
    caller.post("/api/upload/urls", uploadId=upload_id, chunks=[])
    still_open = caller.opened(3)
    caller.signed(still_open, [b"abc"])
    caller.post("/api/upload/chunk", uploadId=still_open, chunkIndex=0)
    with _faulty(environ["COORDINATOR_DATABASE_URL"], url, key):
        caller.post("/api/upload/init", **a_file(3))


@contextmanager
def _faulty(database_url: str, url: str, key: str) -> Iterator[None]:
    """Make Postgres fail with a signed URL and a key in its message, until the block ends."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(sql.SQL(_FAULT).format(url=sql.Literal(url), key=sql.Literal(key)))
        try:
            yield
        finally:
            conn.execute(_NO_FAULT)


def _expired(environ: Mapping[str, str], run: Run) -> str:
    making = create_key(
        settings_module.read(environ),
        name="canary",
        tenant="default",
        user="default",
        scopes=(),
        lifetime=timedelta(microseconds=1),
    )
    with ThreadPoolExecutor(1) as thread:
        key = thread.submit(asyncio.run, making).result()
    run.secrets |= {"expired key": key.text, "its secret": key.text.rpartition("_")[2]}
    return key.text


def _call_without_right(stranger: _Caller, caller: _Caller) -> None:
    stranger.call("GET", "/api/uploads")
    stranger.call(
        "GET", "/api/uploads", headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    )
    caller.shown += stranger.shown


def test_no_sink_holds_a_secret_that_was_used(run: Run) -> None:
    """Whoever reads logs, spans, metrics, audit, jobs, Redis or problems can upload nothing."""
    found = leaks(run.sinks, run.secrets)
    size = sum(map(len, run.sinks.values()))

    print(  # noqa: T201 - what `make canary` is run for
        f"\ncanary: {len(run.secrets)} secrets, {len(run.sinks)} sinks, {size} bytes scanned, "
        f"{len(found)} hits"
    )
    assert found == []


def test_the_run_went_wrong_in_all_the_ways_it_should(run: Run) -> None:
    """Else nothing tempted anybody; the fault was written down, without what it spoke of."""
    assert {200, 201, 400, 401, 404, 409, 422, 500} <= set(run.statuses)
    [log] = [shown for name, shown in run.sinks.items() if name.startswith("log service")]
    [line] = [each for each in log.splitlines() if b"RaiseException" in each]
    assert line.count(HIDDEN.encode()) >= 4
    assert [name for name, shown in run.sinks.items() if not shown] == []


def test_the_scan_finds_what_is_planted_in_any_sink(run: Run) -> None:
    """As it is, in a URL, in base64: a scan that finds nothing proves nothing."""
    secret = run.secrets["API key"]
    for sink in run.sinks:
        for spelling in (secret, secret.upper(), f"x{secret}y"):
            assert leaks({sink: run.sinks[sink] + spelling.encode()}, run.secrets)
    for name, each in run.secrets.items():
        assert (name, "here") in leaks({"here": f"before {each} after".encode()}, run.secrets)
    for upload_id in run.upload_ids:
        assert any(upload_id.encode() in shown for shown in run.sinks.values())
