"""Trainers as the tests run them: OpenAI's files and fine-tuning jobs, and SageMaker's refusals."""

import email
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from coordinator.domain.trainings import Handoff, Shard, Split

KEY: Final = "sk-a-key-that-nobody-may-see"
JOB: Final = "job_06agx5c9nerf9b0x5h0g2k7w3m"
UPLOAD: Final = "upl_06agx5c9nerf9b0x5h0g2k7w3n"

# Given the method and the path; True: the answer is lost after the server has done its work.
Fault = Callable[[str, str], "int | bool"]


def a_handoff(**changes: Any) -> Handoff:
    """A data set of two splits."""
    shard = Shard(address="s3://b/k/train-0.parquet", size=9, sha256="ab" * 32, root="r-1", rows=3)
    other = Shard(address="s3://b/k/val-0.parquet", size=5, sha256="cd" * 32, root="s-1", rows=1)
    usual: dict[str, Any] = {
        "job_id": JOB,
        "upload_id": UPLOAD,
        "format": "parquet",
        "manifest": "s3://b/k/manifest.json",
        "splits": {
            "train": Split(rows=3, shards=(shard,)),
            "validation": Split(rows=1, shards=(other,)),
        },
    }
    return Handoff(**{**usual, **changes})


class Lines:
    """A prepared data set in memory, as trainers ask for it."""

    def __init__(self, splits: Mapping[str, bytes]) -> None:
        self.made: list[str] = []
        self._splits = splits

    def lines(self, split: str) -> Iterator[bytes]:
        """Give the rows in two blocks."""
        self.made.append(split)
        body = self._splits[split]
        yield body[: len(body) // 2]
        yield body[len(body) // 2 :]

    def listing(self, split: str) -> str:
        """Say where a list of the files would be."""
        self.made.append(split)
        return f"s3://b/k/{split}.files.json"

    def note(self) -> None:
        """Go on."""


class OpenAiServer:
    """What one has, and how it misbehaves."""

    def __init__(self) -> None:
        self.url = ""
        self.files: list[dict[str, Any]] = []
        self.contents: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.fault: Fault = lambda _method, _path: False
        self.page = 2  # entries of a list

    def answer(
        self, method: str, path: str, query: Mapping[str, list[str]], kind: str, body: bytes
    ) -> tuple[int, Any]:
        """Do what was asked for."""
        if (method, path) == ("POST", "/files"):
            return 200, self._take_file(kind, body)
        if (method, path) == ("POST", "/fine_tuning/jobs"):
            return self._begin(json.loads(body))
        folder, _, name = path.rpartition("/")
        lists = {"/files": self.files, "/fine_tuning/jobs": self.jobs[::-1]}
        if path in lists:
            return 200, self._paged(lists[path], query)
        return self._found(lists[folder], name)

    def _take_file(self, kind: str, body: bytes) -> dict[str, Any]:
        form = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        fields: dict[str, Any] = {}
        for part in form.walk():
            name = part.get_param("name", header="content-disposition")
            if isinstance(name, str):
                fields[name] = part
        content = fields["file"].get_payload(decode=True)
        file = {
            "id": f"file-{len(self.files)}",
            "object": "file",
            "bytes": len(content),
            "filename": fields["file"].get_filename(),
            "purpose": fields["purpose"].get_payload(),
            "status": "processed",
        }
        self.files.append(file)
        self.contents[str(file["id"])] = content
        return file

    def _begin(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        if wanted["model"] == "gone":
            message = f"The model does not exist. Your key: {KEY}"
            return 400, {"error": {"message": message, "code": "model_not_found"}}
        job = {
            "id": f"ftjob-{len(self.jobs)}",
            "status": "validating_files",
            "fine_tuned_model": None,
            "error": {},
            **wanted,
        }
        self.jobs.append(job)
        return 200, job

    def _paged(
        self, entries: list[dict[str, Any]], query: Mapping[str, list[str]]
    ) -> dict[str, Any]:
        start = 0
        if "after" in query:
            start = 1 + next(n for n, each in enumerate(entries) if each["id"] == query["after"][0])
        page = entries[start : start + self.page]
        return {"object": "list", "data": page, "has_more": start + self.page < len(entries)}

    def _found(self, entries: list[dict[str, Any]], wanted: str) -> tuple[int, Any]:
        for each in entries:
            if each["id"] == wanted:
                return 200, each
        return 404, {"error": {"message": f"No such object: {wanted}"}}


@contextmanager
def openai_server() -> Iterator[OpenAiServer]:
    """Run one on loopback until the block ends; it wants the key."""
    state = OpenAiServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/v1")
            state.asked.append((self.command, path))
            fault = state.fault(self.command, path)
            if fault is not False and fault is not True:
                status, said = fault, {"error": {"message": "as the test wants it"}}
            elif self.headers["Authorization"] != f"Bearer {KEY}":
                status, said = 401, {"error": {"message": "Incorrect API key"}}
            else:
                status, said = state.answer(
                    self.command,
                    path,
                    parse_qs(parts.query),
                    self.headers.get("Content-Type", ""),
                    body,
                )
            if fault is True:
                self.close_connection = True
                return
            send_json(self, status, said)

        do_GET = do_POST = _serve  # noqa: N815 - http.server's names

        @override
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with _running(Handler) as port:
        state.url = f"http://127.0.0.1:{port}/v1"
        yield state


@contextmanager
def sagemaker_server(answers: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[str, list[str]]]:
    """Run what speaks SageMaker's protocol and answers as told; give its address and its calls."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            calls.append(self.headers["X-Amz-Target"].rpartition(".")[2])
            send_json(self, *answers[min(len(calls), len(answers)) - 1])

        @override
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with _running(Handler) as port:
        yield f"http://127.0.0.1:{port}", calls


def send_json(handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
    """Send an answer."""
    sent = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(sent)))
    handler.end_headers()
    handler.wfile.write(sent)


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
