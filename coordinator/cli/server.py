"""Commands of the server: ``serve``, ``work``, ``migrate``, ``keys``."""

import asyncio
import gc
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final, TypeVar

import click

from coordinator import settings as settings_module
from coordinator.adapters import keys
from coordinator.adapters.entropy import random_bytes
from coordinator.adapters.migrations import migrate
from coordinator.adapters.postgres import new_pool
from coordinator.app import create_app
from coordinator.cli.serving import serve
from coordinator.cli.starting import claimed, learned, migrated, read_settings
from coordinator.domain.access import Role, Scope
from coordinator.domain.keys import ENTROPY_BYTES, NewKey, hash_of, mint
from coordinator.settings import Settings
from coordinator.tracing.exporting import exporting
from coordinator.worker.run import run

T = TypeVar("T")


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@click.command("serve")
def serve_command() -> None:
    """Run the service against whatever the settings name."""
    settings = claimed(migrated(read_settings()))
    app = create_app(settings, learned(settings))
    # What start-up made stays for good: no collection needs to look at it again.
    gc.collect()
    gc.freeze()
    with exporting("coordinator-service"):
        serve(app, settings)


@click.command("work")
def work_command() -> None:
    """Run a worker: jobs, hashing of objects, takeover of abandoned uploads."""
    settings = claimed(migrated(read_settings()))
    with exporting("coordinator-worker"):
        _wait_for(run(settings, learned(settings)))


@click.command("migrate")
def migrate_command() -> None:
    """Apply the migrations that are not applied yet."""
    applied = _wait_for(migrate(read_settings().database_url))
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to apply")


@click.group("keys")
def keys_command() -> None:
    """API keys. A key is shown once, when it is created."""


async def create_key(
    settings: Settings,
    *,
    name: str,
    tenant: str,
    user: str,
    roles: tuple[Role, ...] = (Role.UPLOADER,),
    scopes: tuple[Scope, ...],
    lifetime: timedelta | None,
) -> NewKey:
    """Make a key and store its hash."""
    key = mint(random_bytes(ENTROPY_BYTES))
    async with new_pool(settings.database_url, max_size=1) as pool, pool.connection() as conn:
        await keys.add(
            conn,
            key.key_id,
            key_hash=hash_of(key.text, secret=settings.secret),
            name=name,
            tenant=tenant,
            user_id=user,
            roles=roles,
            scopes=scopes,
            lifetime=lifetime,
        )
    return key


def _plain(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Tenants stand in object keys, users in logs: letters, digits and a few signs."""
    if not settings_module.is_plain(value):
        raise click.BadParameter("letters, digits and . _ @ + -, at most 64")
    return value


@keys_command.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--tenant", default="default", show_default=True, callback=_plain)
@click.option("--user", default="default", show_default=True, callback=_plain)
@click.option("--scope", "scopes", multiple=True, type=click.Choice([each.value for each in Scope]))
@click.option("--days", type=click.IntRange(1), help="Ends after so many days; without, never.")
def create(*, name: str, tenant: str, user: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Create a key and print it, this once."""
    lifetime = None if days is None else timedelta(days=days)
    wanted = tuple(Scope(scope) for scope in scopes)
    key = _wait_for(
        create_key(
            read_settings(), name=name, tenant=tenant, user=user, scopes=wanted, lifetime=lifetime
        )
    )
    click.echo(key.text)


@keys_command.command("list")
def list_keys() -> None:
    """List all keys, without their secrets."""

    async def read(settings: Settings) -> list[keys.KeyRow]:
        async with new_pool(settings.database_url, max_size=1) as pool, pool.connection() as conn:
            return await keys.list_all(conn)

    for row in _wait_for(read(read_settings())):
        state = "revoked" if row.revoked_at else "live"
        ends = row.expires_at.isoformat() if row.expires_at else "never"
        scopes = ",".join(row.scopes) or "-"
        click.echo(
            f"{row.id}  {state}  {row.tenant}/{row.user_id}  {scopes}  ends {ends}  {row.name}"
        )


@keys_command.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key, by its id (ck_…, the part that `keys list` shows)."""

    async def write(settings: Settings) -> bool:
        async with new_pool(settings.database_url, max_size=1) as pool, pool.connection() as conn:
            return await keys.revoke(conn, key_id)

    if not _wait_for(write(read_settings())):
        raise click.ClickException("there is no live key with this id")
    click.echo(f"revoked {key_id}; services forget it within 5 s")


COMMANDS: Final = [serve_command, work_command, migrate_command, keys_command]
