"""``coordinator migrate``: the schema, and the role that service and worker run as."""

import asyncio
from pathlib import Path
from typing import Final

import click
from psycopg import errors

from coordinator.adapters.migrations import migrate, pending
from coordinator.adapters.migrations.grants import OwnerAsServiceRoleError
from coordinator.cli.starting import read_settings

_LONGEST_NAME: Final = 63  # Postgres cuts longer names


@click.command("migrate")
@click.option(
    "--service-role",
    metavar="NAME",
    help="Let service and worker run as this role, which cannot change the audit. It is created "
    "where there is none, and remembered: later migrations grant it what it needs.",
)
@click.option(
    "--service-role-password-file",
    "password_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Let the role log in with the password in this file.",
)
def migrate_command(*, service_role: str | None, password_file: Path | None) -> None:
    """Apply the migrations that are not applied yet.

    COORDINATOR_DATABASE_URL must name the role that owns the tables.
    """
    password = _password(service_role, password_file)
    settings = read_settings()
    try:
        applied = asyncio.run(
            migrate(settings.database_url, service_role=service_role, password=password)
        )
    except OwnerAsServiceRoleError as exc:
        raise click.ClickException(str(exc)) from exc
    except errors.InsufficientPrivilege as exc:
        if service_role is not None or asyncio.run(pending(settings.database_url)):
            raise click.ClickException(
                "the role of COORDINATOR_DATABASE_URL may not do that: migrate with the role that "
                "owns the tables (and may create roles, for --service-role)"
            ) from exc
        applied = []
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("nothing to apply")
    if service_role is not None:
        click.echo(f"granted {service_role} what service and worker need")


def _password(service_role: str | None, file: Path | None) -> str | None:
    if service_role is not None and not 1 <= len(service_role.encode()) <= _LONGEST_NAME:
        raise click.UsageError(f"--service-role has 1 to {_LONGEST_NAME} bytes")
    if file is None:
        return None
    if service_role is None:
        raise click.UsageError("--service-role-password-file needs --service-role")
    password = file.read_text(encoding="utf-8").strip()
    if not password:
        raise click.UsageError(f"{file} is empty")
    return password


COMMANDS: Final = [migrate_command]
