"""``keys``: API keys, straight in the database, because the first one has to come from somewhere.

Rule: what admins do over HTTP (``/api/keys``) is done by the same operations, and audited alike.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import click

from coordinator.adapters import keys as key_rows
from coordinator.adapters.audit import COMMAND_LINE
from coordinator.adapters.keys import KeyRow
from coordinator.adapters.postgres import Pool, new_pool
from coordinator.cli.starting import read_settings
from coordinator.domain.access import GRANTABLE, Role, Scope
from coordinator.domain.errors import KeyNotFoundError, KeyRotatedError
from coordinator.domain.keys import NewKey
from coordinator.domain.names import is_plain
from coordinator.operations import manage_keys
from coordinator.operations.manage_keys import GRACE, KeyWish, Made
from coordinator.settings import Settings

T = TypeVar("T")

_NO_KEY: Final = "there is no live key with this id"
_HOUR: Final = timedelta(hours=1)
_EVERY_SCOPE: Final = frozenset(Scope)  # whoever has the database can give anything


@click.group("keys")
def keys_command() -> None:
    """API keys. A key is shown once, when it is created or rotated."""


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
    wish = KeyWish(
        name=name, tenant=tenant, user_id=user, roles=roles, scopes=scopes, lifetime=lifetime
    )

    async def make(pool: Pool) -> Made:
        return await manage_keys.create_key(
            pool, wish, secret=settings.secret, actor=COMMAND_LINE, grantable=_EVERY_SCOPE
        )

    made = await _in_pool(settings, make)
    return NewKey(made.row.id, made.text)


async def _in_pool(settings: Settings, work: Callable[[Pool], Awaitable[T]]) -> T:
    async with new_pool(settings.database_url, max_size=1) as pool:
        return await work(pool)


def _plain(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Tenants stand in object keys, users in logs: letters, digits and a few signs."""
    if value is not None and not is_plain(value):
        raise click.BadParameter("letters, digits and . _ @ + -, at most 64")
    return value


@keys_command.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--tenant", default="default", show_default=True, callback=_plain)
@click.option("--user", default="default", show_default=True, callback=_plain)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([each.value for each in GRANTABLE]),
    default=[Role.UPLOADER.value],
    show_default=True,
    help="May be given several times.",
)
@click.option("--scope", "scopes", multiple=True, type=click.Choice([each.value for each in Scope]))
@click.option("--days", type=click.IntRange(1), help="Ends after so many days; without, never.")
def create(
    *, roles: tuple[str, ...], scopes: tuple[str, ...], days: int | None, **who: Any
) -> None:
    """Create a key and print it, this once."""
    work = create_key(
        read_settings(),
        **who,
        roles=tuple(role for role in GRANTABLE if role in roles),
        scopes=tuple(scope for scope in Scope if scope in scopes),
        lifetime=None if days is None else timedelta(days=days),
    )
    click.echo(asyncio.run(work).text)


@keys_command.command("list")
@click.option("--tenant", callback=_plain, help="Only this tenant's.")
def list_keys(*, tenant: str | None) -> None:
    """List keys, oldest first, without their secrets."""

    async def read(pool: Pool) -> list[KeyRow]:
        async with pool.connection() as conn:
            return await key_rows.list_all(conn, tenant=tenant)

    for row in asyncio.run(_in_pool(read_settings(), read)):
        click.echo(_line(row))


def _line(row: KeyRow) -> str:
    return "  ".join(
        [
            row.id,
            _state(row),
            f"{row.tenant}/{row.user_id}",
            ",".join(row.roles) or "-",
            ",".join(row.scopes) or "-",
            f"used {_moment(row.last_used_at)}",
            f"ends {_moment(row.expires_at)}",
            row.name,
        ]
    )


def _state(row: KeyRow) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if not row.is_live:
        return "expired"
    return "live" if row.replaced_by is None else "rotated"


def _moment(value: datetime | None) -> str:
    return "never" if value is None else value.isoformat(timespec="seconds")


@keys_command.command("rotate")
@click.argument("key_id")
@click.option(
    "--grace-hours",
    type=click.IntRange(0),
    default=GRACE // _HOUR,
    show_default=True,
    help="For how long the old key goes on.",
)
def rotate(*, key_id: str, grace_hours: int) -> None:
    """Print a new key that is good for the same; the old one ends after a while."""
    settings = read_settings()

    async def write(pool: Pool) -> Made:
        return await manage_keys.rotate_key(
            pool,
            key_id,
            tenant=None,
            grace=grace_hours * _HOUR,
            secret=settings.secret,
            actor=COMMAND_LINE,
            grantable=_EVERY_SCOPE,
        )

    try:
        made = asyncio.run(_in_pool(settings, write))
    except KeyNotFoundError:
        raise click.ClickException(_NO_KEY) from None
    except KeyRotatedError as refusal:
        raise click.ClickException(
            f"this key was rotated before, to {refusal.facts['replaced_by']}"
        ) from None
    click.echo(made.text)


@keys_command.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key, by its id (ck_…, the part that `keys list` shows)."""

    async def write(pool: Pool) -> None:
        await manage_keys.revoke_key(pool, key_id, tenant=None, actor=COMMAND_LINE)

    try:
        asyncio.run(_in_pool(read_settings(), write))
    except KeyNotFoundError:
        raise click.ClickException(_NO_KEY) from None
    click.echo(f"revoked {key_id}; services forget it within 5 s")


COMMANDS: Final[list[click.Command]] = [keys_command]
