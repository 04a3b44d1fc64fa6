"""A service and a worker as processes, as an operator runs them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psycopg
from psycopg import sql

from coordinator.embedded import Addresses

COORDINATOR: Final = [sys.executable, "-m", "coordinator"]
_PATIENCE_S: Final = 60.0


class Installation(msgspec.Struct, frozen=True):
    """Where the service is, a key for it, and the environment that it runs with."""

    url: str
    key: str
    environ: dict[str, str]

    @property
    def client_environ(self) -> dict[str, str]:
        """What a client needs to know."""
        return {
            **_bare_environ(),
            "COORDINATOR_URL": self.url,
            "COORDINATOR_API_KEY": self.key,
        }


def _bare_environ() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COORDINATOR_", "AWS_"))
    }


@contextmanager
def installed(
    addresses: Addresses, folder: Path, *, database: str, public_endpoint: str = ""
) -> Iterator[Installation]:
    """Run service and worker on a database of their own until the block ends."""
    with psycopg.connect(addresses.database_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    base, _, _ = addresses.database_url.rpartition("/")
    environ = {
        **_bare_environ(),
        "COORDINATOR_DATABASE_URL": f"{base}/{database}",
        "COORDINATOR_REDIS_URL": addresses.redis_url,
        "COORDINATOR_S3_ENDPOINT": addresses.s3_endpoint,
        "COORDINATOR_S3_PUBLIC_ENDPOINT": public_endpoint or addresses.s3_endpoint,
        "COORDINATOR_S3_BUCKET": addresses.s3_bucket,
        "COORDINATOR_S3_PREFIX": database,
        "COORDINATOR_SECRET": "s" * 32,
        "AWS_ACCESS_KEY_ID": addresses.access_key,
        "AWS_SECRET_ACCESS_KEY": addresses.secret_key,
        "AWS_REGION": addresses.s3_region,
        "AWS_DEFAULT_REGION": addresses.s3_region,
    }
    _run(environ, "migrate")
    key = _run(environ, "keys", "create", "--name", "tests").strip()
    with ExitStack() as stack:
        url = stack.enter_context(serving(environ, folder))
        stack.enter_context(_process(environ, folder / "worker.log", "work"))
        yield Installation(url, key, environ)


@contextmanager
def serving(environ: Mapping[str, str], folder: Path, **changes: str) -> Iterator[str]:
    """Run one more service, with other settings, until the block ends; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / f"service-{port}.log"
    own = {**environ, **changes, "COORDINATOR_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with _process(own, log, "serve") as process:
        deadline = time.monotonic() + _PATIENCE_S
        while not _is_ready(url):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, f"the service did not start: {log}"
            time.sleep(0.05)
        yield url


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5.0).is_success
    except httpx.TransportError:
        return False


def _run(environ: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*COORDINATOR, *arguments], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _process(
    environ: Mapping[str, str], log: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COORDINATOR, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
