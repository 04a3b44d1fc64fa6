"""A service and a worker as processes, as an operator runs them."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psycopg
from click.testing import CliRunner, Result
from psycopg import sql

from coordinator import settings as settings_module
from coordinator.adapters.migrations import migrate
from coordinator.cli import main
from coordinator.cli.keys import create_key
from coordinator.domain.access import Role, Scope
from coordinator.embedded import Addresses

COORDINATOR: Final = [sys.executable, "-m", "coordinator"]
_PATIENCE_S: Final = 150.0


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
        if not name.startswith(("COORDINATOR_", "AWS_", "OTEL_"))
    }


@contextmanager
def installed(
    addresses: Addresses, folder: Path, *, database: str, public_endpoint: str = ""
) -> Iterator[Installation]:
    """Run service and worker on a database of their own until the block ends."""
    environ, key = prepared(addresses, database=database, public_endpoint=public_endpoint)
    with ExitStack() as stack:
        url = stack.enter_context(serving(environ, folder))
        stack.enter_context(process(environ, folder / "worker.log", "work"))
        yield Installation(url, key, environ)


def prepared(
    addresses: Addresses, *, database: str, public_endpoint: str = "", **changes: str
) -> tuple[dict[str, str], str]:
    """Make a migrated database; return the environment of processes on it, and an API key.

    Within this process, without the price of two more.
    """
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
        "COORDINATOR_DRAIN_SECONDS": "0",
        "AWS_ACCESS_KEY_ID": addresses.access_key,
        "AWS_SECRET_ACCESS_KEY": addresses.secret_key,
        "AWS_REGION": addresses.s3_region,
        "AWS_DEFAULT_REGION": addresses.s3_region,
        **changes,
    }
    # In a thread: whoever calls may run in a loop.
    with ThreadPoolExecutor(1) as thread:
        return environ, thread.submit(asyncio.run, _migrated_with_key(environ)).result()


async def _migrated_with_key(environ: dict[str, str]) -> str:
    settings = settings_module.read(environ)
    await migrate(settings.database_url)
    key = await create_key(
        settings, name="tests", tenant="default", user="default", scopes=(), lifetime=None
    )
    return key.text


def key_in(
    installation: Installation,
    *,
    tenant: str,
    user: str,
    roles: tuple[Role, ...],
    scopes: tuple[Scope, ...] = (),
) -> str:
    """Make a key as the command line does."""
    settings = settings_module.read(
        {k: v for k, v in installation.environ.items() if k.startswith(settings_module.PREFIX)}
    )
    making = create_key(
        settings, name="test", tenant=tenant, user=user, roles=roles, scopes=scopes, lifetime=None
    )
    return asyncio.run(making).text


def runner(installation: Installation, key: str, *command: str) -> Callable[..., Result]:
    """Return a function that runs a command, or those of a group, with ``key``."""
    environ = {**installation.client_environ, "COORDINATOR_API_KEY": key}
    return lambda *arguments: CliRunner().invoke(main, (*command, *arguments), env=environ)


@contextmanager
def serving(environ: Mapping[str, str], folder: Path, **changes: str) -> Iterator[str]:
    """Run one more service, with other settings, until the block ends; yield its address."""
    port = free_port()
    log = folder / f"service-{port}.log"
    own = {**environ, **changes, "COORDINATOR_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with process(own, log, "serve") as service:
        until_ready(url, service, log)
        yield url


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_ready(url: str, service: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the service is ready for requests."""
    deadline = time.monotonic() + _PATIENCE_S
    while not _is_ready(url):
        assert service.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, f"the service did not start: {log}"
        time.sleep(0.05)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5.0).is_success
    except httpx.TransportError:
        return False


@contextmanager
def process(
    environ: Mapping[str, str], log: Path, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of the coordinator until the block ends, then tell it to stop."""
    running = start(environ, log, *arguments)
    try:
        yield running
    finally:
        end(running)


def start(environ: Mapping[str, str], log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command of the coordinator; what it writes is added to ``log``."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*COORDINATOR, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


def end(running: subprocess.Popen[bytes], *, patience_s: float = 20.0) -> int:
    """Tell it to stop, by force if it takes too long; return its exit code."""
    running.send_signal(signal.SIGTERM)
    try:
        return running.wait(patience_s)
    except subprocess.TimeoutExpired:
        running.kill()
        return running.wait()
