"""A whole installation in a temporary folder, and services that are counted on the wire."""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from coordinator.cli.local import Local, running_locally
from tests.benchmarks.round_trips import Counter, counting

CHUNKS: Final = 10_000
BATCH: Final = 1_000
_CHUNK_BYTES: Final = 8 * 2**20
_PATIENCE_S: Final = 60.0


class Client:
    """One kept-alive connection to a service, with as little of its own work as possible."""

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        assert address.hostname
        self._connection = HTTPConnection(address.hostname, address.port)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(self, path: str, body: bytes) -> bytes:
        """Send, and return the answer's body."""
        self._connection.request("POST", path, body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status in {200, 201}, content[:500]
        return content

    def pause(self, seconds: float) -> None:
        """Wait, and connect anew after it: a service closes what is idle for long."""
        self._connection.close()
        time.sleep(seconds)

    def new_upload(self) -> str:
        """Open an upload of 10,000 chunks and return its id."""
        wish = {
            "fileName": "train.jsonl",
            "fileSize": CHUNKS * _CHUNK_BYTES,
            "fileType": "application/jsonl",
            "chunkSize": _CHUNK_BYTES,
        }
        answer = msgspec.json.decode(self.post("/api/upload/init", msgspec.json.encode(wish)))
        assert answer["totalChunks"] == CHUNKS
        return str(answer["uploadId"])


class CountedService(msgspec.Struct, frozen=True):
    """A service whose every word with its stores is counted."""

    client: Client
    postgres: Counter
    redis: Counter
    s3: Counter

    def round_trips(self, path: str, body: bytes) -> tuple[int, int, int]:
        """Send one request and return its round trips to Postgres, Redis and S3."""
        counters = (self.postgres, self.redis, self.s3)
        before = [counter.round_trips for counter in counters]
        self.client.post(path, body)
        postgres, redis, s3 = (
            counter.round_trips - count for counter, count in zip(counters, before, strict=True)
        )
        return postgres, redis, s3


@contextmanager
def installed() -> Iterator[Local]:
    """Run servers, service and worker in a folder that goes away with them."""
    with (
        tempfile.TemporaryDirectory(prefix="coordinator-bench-") as folder,
        running_locally(Path(folder)) as local,
    ):
        yield local


@contextmanager
def counted(local: Local) -> Iterator[CountedService]:
    """Run one more service that reaches its stores through counting proxies."""
    names = ("COORDINATOR_DATABASE_URL", "COORDINATOR_REDIS_URL", "COORDINATOR_S3_ENDPOINT")
    with counting(*(local.environ[name] for name in names)) as counters:
        through = {name: each.url for name, each in zip(names, counters, strict=True)}
        url = started(local, "counted", "-m", "coordinator", "serve", **through)
        try:
            yield CountedService(Client(url, local.api_key), *counters)
        finally:
            local.keeper.stop("counted")


def started(local: Local, name: str, *arguments: str, **changes: str) -> str:
    """Start one more Python process beside the installation; return where it listens."""
    port = _free_port()
    environ = {**os.environ, **local.environ, **changes, "COORDINATOR_PORT": str(port)}
    environ["AWS_DEFAULT_REGION"] = environ["AWS_REGION"]
    environ["UVICORN_PORT"] = str(port)
    local.keeper.start(name, [sys.executable, *arguments], env=environ, group=1)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + _PATIENCE_S
    while not _is_ready(url):
        assert local.keeper.exit_code(name) is None, local.keeper.log_path(name).read_text()
        assert time.monotonic() < deadline, f"{name} does not answer"
        time.sleep(0.05)
    return url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5.0).is_success
    except httpx.TransportError:
        return False
