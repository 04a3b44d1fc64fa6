"""Logs and everything else that is shown: JSON lines, and no secret in any of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from coordinator.embedded import Addresses
from tests.sdk.installation import Installation, prepared, serving
from tests.web.driving import a_file, sha256

_FORGED: Final = "a%0d%0a%7b%22event%22%3a%22forged%22%7d%1b%5b31m"


class Watched:
    """A service at log level debug, one upload after another, and all that it showed."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.http = httpx.Client(
            base_url=installation.url,
            headers={"Authorization": f"Bearer {installation.key}"},
            timeout=30.0,
        )
        self.database_url = installation.environ["COORDINATOR_DATABASE_URL"]
        self.log = folder / f"service-{urlsplit(installation.url).port}.log"
        self._folder = folder
        self._shown: list[str] = []
        self.secrets = {
            "the API key": installation.key,
            "the API key's secret": installation.key.rpartition("_")[2],
            "the AWS secret": installation.environ["AWS_SECRET_ACCESS_KEY"],
            "the service's secret": installation.environ["COORDINATOR_SECRET"],
            "a signature's name": "X-Amz-Signature",
            "a credential's name": "X-Amz-Credential",
        }

    def post(self, path: str, **body: Any) -> httpx.Response:
        """Send a request; a refusal is among what was shown."""
        answer = self.http.post(path, json=body)
        if not answer.is_success:
            self._shown.append(answer.text)
        return answer

    def signed(self) -> tuple[str, dict[str, Any]]:
        """Open an upload and sign its chunk; the URL's secrets are noted."""
        upload_id: str = self.post("/api/upload/init", **a_file(3)).json()["uploadId"]
        chunks = [{"chunkIndex": 0, "sha256": sha256(b"abc")}]
        entry: dict[str, Any] = self.post(
            "/api/upload/urls", uploadId=upload_id, chunks=chunks
        ).json()["chunks"][0]
        query = parse_qs(urlsplit(entry["url"]).query)
        self.secrets[f"the signature of {upload_id}"] = query["X-Amz-Signature"][0]
        self.secrets[f"the multipart id of {upload_id}"] = query["uploadId"][0]
        return upload_id, entry

    def leaks(self) -> list[str]:
        """Name the secrets that stand in logs, metrics or problems."""
        logs = [path.read_text() for path in self._folder.glob("*.log")]
        everything = "\n".join([*logs, *self._shown, self.http.get("/metrics").text]).lower()
        return [name for name, secret in self.secrets.items() if secret.lower() in everything]

    def lines(self) -> list[dict[str, Any]]:
        """Read the log: every line must be one JSON object."""
        read = [json.loads(line) for line in self.log.read_text().splitlines()]
        assert all(isinstance(line, dict) for line in read)
        return read


@pytest.fixture(scope="module")
def watched(servers: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A process of its own: its standard error is what an operator collects."""
    folder = tmp_path_factory.mktemp("logs")
    environ, key = prepared(
        servers,
        database=f"logs_{uuid4().hex}",
        COORDINATOR_SECRET="a canary of the service, to be found in no log",
        COORDINATOR_LOG_LEVEL="debug",
    )
    with serving(environ, folder) as url:
        watching = Watched(Installation(url, key, environ), folder)
        yield watching
        watching.http.close()


def test_a_whole_upload_shows_no_secret(watched: Watched) -> None:
    """At debug, where libraries like to print what they sign; refusals and downloads too."""
    upload_id, entry = watched.signed()
    put = httpx.put(entry["url"], headers=entry["headers"], content=b"abc")
    other = [{"chunkIndex": 0, "sha256": "0" * 64}]
    answers = [
        watched.post("/api/upload/urls", uploadId=upload_id, chunks=other),
        watched.post("/api/upload/chunk", uploadId=upload_id, chunkIndex=0, data="abc"),
        watched.post("/api/upload/chunk", uploadId=upload_id, chunkIndex=0, etag="abc"),
        watched.post("/api/upload/complete", uploadId=upload_id),
        watched.post("/api/upload/complete", uploadId=f"{upload_id}x"),
    ]
    download = watched.http.get(f"/api/uploads/{upload_id}/download")

    assert put.status_code == 200
    assert [answer.status_code for answer in answers] == [409, 422, 200, 200, 404]
    assert "X-Amz-Signature" in download.headers["location"]
    assert watched.leaks() == []


def test_a_line_says_which_request_and_which_upload(watched: Watched) -> None:
    """One answer's id finds its line, and the upload's id all lines of the upload."""
    upload_id, _entry = watched.signed()
    answer = watched.post("/api/upload/complete", uploadId=upload_id)

    request_id = answer.json()["requestId"]
    assert answer.headers["x-request-id"] == request_id
    found = [line for line in watched.lines() if line.get("request_id") == request_id]
    (request,) = [line for line in found if line["event"] == "request"]
    shown = {
        "method": "POST",
        "route": "/api/upload/complete",
        "status": 409,
        "upload_id": upload_id,
        "level": "info",
    }
    assert {key: request[key] for key in shown} == shown
    of_upload = [line for line in watched.lines() if line.get("upload_id") == upload_id]
    assert {line["route"] for line in of_upload if line["event"] == "request"} == {
        "/api/upload/urls",
        "/api/upload/complete",
    }


def test_a_fault_of_ours_shows_no_secret_and_no_locals(watched: Watched) -> None:
    """A table is gone: the log has the whole traceback, the answer only the request's id."""
    upload_id, entry = watched.signed()
    assert httpx.put(entry["url"], headers=entry["headers"], content=b"abc").is_success
    with psycopg.connect(watched.database_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE manifests RENAME TO hidden")
        try:
            answer = watched.post("/api/upload/complete", uploadId=upload_id)
            status = watched.http.get(f"/api/uploads/{upload_id}/manifest")
        finally:
            conn.execute("ALTER TABLE hidden RENAME TO manifests")

    assert {answer.status_code, status.status_code} == {500}
    told = status.json()
    assert set(told) == {"type", "title", "status", "detail", "code", "requestId"}
    assert told["code"] == "internal"
    (line,) = [
        line
        for line in watched.lines()
        if line.get("request_id") == told["requestId"] and line["event"] == "unexpected"
    ]
    frames = [frame for each in line["exception"] for frame in each["frames"]]
    assert frames
    assert [frame for frame in frames if frame.get("locals")] == []
    assert watched.leaks() == []


def test_no_input_can_forge_a_line(watched: Watched) -> None:
    """CR, LF and escape sequences in names, ids, headers and paths."""
    watched.http.get(f"/api/upload/status/{_FORGED}")
    watched.http.get(f"/{_FORGED}")
    watched.post("/api/upload/init", **a_file(3, fileName='\r\n{"event":"forged"}\x1b[31m'))
    watched.post("/api/upload/complete", uploadId='upl_\n{"event":"forged"}')
    watched.post("/api/upload/chunk", **{'\n{"event":"forged"}': 1})

    assert [line for line in watched.lines() if line["event"] == "forged"] == []
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", watched.log.read_text()) is None
