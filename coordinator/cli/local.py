"""Everything on this machine: embedded servers, service and worker, ended together."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import click
import httpx
import msgspec

from coordinator import settings as settings_module
from coordinator.adapters.migrations import migrate
from coordinator.cli.keys import create_key
from coordinator.domain.access import Role, Scope
from coordinator.embedded import Addresses, running
from coordinator.embedded import bucket as buckets
from coordinator.embedded.home import is_free, write_private
from coordinator.embedded.keeper import Keeper
from coordinator.env_files import env_file
from coordinator.origins import same_machine

_FIRST_PORT: Final = 3000
_LAST_PORT: Final = 3999
_SERVICE, _WORKER = "service", "worker"
_START_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.05

RUN_ENV: Final = "run.env"
SERVICE_ROLE: Final = "coordinator_service"
_ROLES: Final = (Role.UPLOADER, Role.ADMIN)


class _Kept(msgspec.Struct):
    """What stays over restarts, so that pages, keys and shells of yesterday still work."""

    secret: str
    port: int
    worker_metrics_port: int
    api_key: str | None = None
    api_key_roles: tuple[Role, ...] = ()  # a key of an older release may do less than today's
    # Homes of older releases have none yet.
    database_password: str = msgspec.field(default_factory=lambda: secrets.token_hex(16))


class Local(msgspec.Struct, frozen=True):
    """A running installation."""

    environ: dict[str, str]
    keeper: Keeper

    @property
    def url(self) -> str:
        """The service's address."""
        return self.environ["COORDINATOR_URL"]

    @property
    def api_key(self) -> str:
        """The key that was made for this home."""
        return self.environ["COORDINATOR_API_KEY"]

    def ended(self) -> str | None:
        """Name a process that has ended by itself, if one has."""
        for name in (_SERVICE, _WORKER):
            if self.keeper.exit_code(name) is not None:
                return name
        return None


@contextmanager
def running_locally(
    home: Path,
    *,
    traces: Mapping[str, str] | None = None,
    changes: Mapping[str, str] | None = None,
) -> Iterator[Local]:
    """Run everything with its data under ``home`` until the block ends.

    ``traces`` are the variables by which service and worker send their spans, in place of the
    user's own; ``changes`` are settings of both, on top of the user's own.
    ``run.env`` is written once everything answers, and is gone when the block has ended.

    Raises:
        EmbeddedError: ``home`` is in use, or a server does not start.
        click.ClickException: the service or the worker does not start.

    """
    run_env = home / RUN_ENV
    # Which pages are let in is known with the service's port: `_let_pages_in`.
    with running(home, cors_origins=()) as servers:
        run_env.unlink(missing_ok=True)
        kept = _kept(home)
        # Service and worker run as a role that cannot change what was noted in the audit.
        owner_url = servers.addresses.database_url
        asyncio.run(migrate(owner_url, service_role=SERVICE_ROLE, password=kept.database_password))
        environ = _environ(servers.addresses, kept, changes or {})
        settings = settings_module.read(environ)
        if kept.api_key is None or kept.api_key_roles != _ROLES:
            key = create_key(
                settings,
                name="coordinator dev",
                tenant="default",
                user="default",
                roles=_ROLES,
                scopes=(Scope.ACT_AS, Scope.EVERY_TENANT),
                lifetime=None,
            )
            kept.api_key, kept.api_key_roles = asyncio.run(key).text, _ROLES
        write_private(_kept_path(home), msgspec.json.format(msgspec.json.encode(kept)))
        _let_pages_in(servers.addresses, settings)
        whole = {
            **environ,
            "COORDINATOR_URL": f"http://127.0.0.1:{kept.port}",
            "COORDINATOR_API_KEY": kept.api_key,
        }
        local = Local(whole, servers.keeper)
        _start(local, traces)
        write_private(run_env, env_file(whole).encode())
        try:
            yield local
        finally:
            run_env.unlink(missing_ok=True)


def _kept_path(home: Path) -> Path:
    return home / "service.json"


def _kept(home: Path) -> _Kept:
    path = _kept_path(home)
    if path.exists():
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        kept.port = _free_port(kept.port)
        kept.worker_metrics_port = _free_port(kept.worker_metrics_port, not_this=kept.port)
        return kept
    port = _free_port(int(os.environ.get("COORDINATOR_PORT", _FIRST_PORT)))
    return _Kept(secrets.token_hex(32), port, _free_port(port + 1, not_this=port))


def _free_port(wished: int, *, not_this: int | None = None) -> int:
    """Return the wished port, or the next that is free."""
    ports: list[int] = [wished, *range(_FIRST_PORT, _LAST_PORT)]
    found = next((port for port in ports if port != not_this and is_free(port)), None)
    if found is None:
        raise click.ClickException(f"no port between {_FIRST_PORT} and {_LAST_PORT} is free")
    return found


def _environ(addresses: Addresses, kept: _Kept, changes: Mapping[str, str]) -> dict[str, str]:
    """Compose the settings; what the user set on top of them (log level, limits) stays."""
    own = {
        name: value for name, value in os.environ.items() if name.startswith(settings_module.PREFIX)
    }
    return {
        **own,
        **changes,
        "COORDINATOR_DATABASE_URL": _as_service(addresses.database_url, kept.database_password),
        "COORDINATOR_REDIS_URL": addresses.redis_url,
        "COORDINATOR_S3_ENDPOINT": addresses.s3_endpoint,
        "COORDINATOR_S3_BUCKET": addresses.s3_bucket,
        "COORDINATOR_SECRET": kept.secret,
        "COORDINATOR_PORT": str(kept.port),
        "COORDINATOR_WORKER_METRICS_PORT": str(kept.worker_metrics_port),
        "COORDINATOR_DRAIN_SECONDS": "0",  # no load balancer needs to notice
        "AWS_ACCESS_KEY_ID": addresses.access_key,
        "AWS_SECRET_ACCESS_KEY": addresses.secret_key,
        "AWS_REGION": addresses.s3_region,
    }


def _let_pages_in(addresses: Addresses, settings: settings_module.Settings) -> None:
    """Let pages send parts: the service's own, by whichever name, and those of the settings."""
    origins = [*same_machine("127.0.0.1", settings.port), *settings.page_origins]
    s3 = buckets.client(
        addresses.s3_endpoint, access_key=addresses.access_key, secret_key=addresses.secret_key
    )
    try:
        buckets.allow_pages(
            s3, addresses.s3_bucket, list(dict.fromkeys(origins)), prefix=settings.s3_prefix
        )
    finally:
        s3.close()


def _as_service(database_url: str, password: str) -> str:
    """Return the same address with the role that service and worker log in as."""
    url = urlsplit(database_url)
    place = f"{SERVICE_ROLE}:{password}@{url.hostname}:{url.port}"
    return urlunsplit((url.scheme, place, url.path, "", ""))


def _start(local: Local, traces: Mapping[str, str] | None) -> None:
    environ = {**os.environ, **local.environ, "AWS_DEFAULT_REGION": local.environ["AWS_REGION"]}
    if traces is not None:
        own = {name: value for name, value in environ.items() if not name.startswith("OTEL_")}
        environ = {**own, **traces}
    for name, command in ((_SERVICE, "serve"), (_WORKER, "work")):
        argv = [sys.executable, "-m", "coordinator", command]
        named = {} if traces is None else {"OTEL_SERVICE_NAME": name}
        local.keeper.start(name, argv, env={**environ, **named}, group=1, grace_s=30.0)
    worker_url = f"http://127.0.0.1:{local.environ['COORDINATOR_WORKER_METRICS_PORT']}"
    # With its own key: a stranger's service on the same port would not know it.
    _await_answer(local, f"{local.url}/api/uploads?limit=1")
    _await_answer(local, f"{worker_url}/metrics")


def _await_answer(local: Local, url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    headers = {"Authorization": f"Bearer {local.api_key}"}
    while time.monotonic() < deadline:
        if dead := local.ended():
            log = local.keeper.log_path(dead)
            raise click.ClickException(f"the {dead} ended at once; {log} says why")
        try:
            if httpx.get(url, headers=headers, timeout=2.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(_PAUSE_SECONDS)
    raise click.ClickException(f"no answer within {_START_SECONDS:.0f} s")


def home_folder(environ: Mapping[str, str]) -> Path:
    """Return where embedded servers keep their data: ``COORDINATOR_HOME``, or ``.local``."""
    return Path(environ.get("COORDINATOR_HOME") or ".local")
