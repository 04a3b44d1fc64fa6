"""``coordinator audit``: see that nothing noted was changed, and take it out for others to see."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import click
from psycopg import OperationalError

from coordinator.adapters.stores import open_stores
from coordinator.cli import asking, failures
from coordinator.cli.failures import EXIT_CODES, Exit
from coordinator.cli.starting import read_settings
from coordinator.domain import audit_heads
from coordinator.domain.audit_chain import Finding, Head
from coordinator.domain.errors import CoordinatorError
from coordinator.operations.prove_object import NO_ANSWER
from coordinator.operations.verify_audit import Verdict, tenants_of, verify_audit, verify_export
from coordinator.sdk.service import Service
from coordinator.settings import Settings

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

VERIFY_HELP: Final = """Check every row of the audit against its hash chain; name what is wrong.

Without --file in the database, and against the heads in the bucket: settings as of `serve`. With
--file in an export, on any machine, and against the heads that --head names.

\b
Exit codes:
  0  every row is as it was noted
  1  rows were changed, removed or put in; or it could not be found out
"""


@click.group("audit")
def audit_command() -> None:
    """The audit: verify it, export it."""


@audit_command.command("verify", help=VERIFY_HELP)
@click.option("--tenant", help="Only this tenant's; without, all.")
@click.option("--file", "export", type=_FILE, help="An export, in place of the database.")
@click.option("--head", "heads", type=_FILE, multiple=True, help="An exported head.")
def verify_command(*, tenant: str | None, export: Path | None, heads: tuple[Path, ...]) -> None:
    """Check the chain; ``VERIFY_HELP`` says what the user is told."""
    if export is not None:
        verdicts = _verify_file(export, heads, tenant)
    elif heads:
        raise click.UsageError("--head needs --file: the database's heads are in the bucket")
    else:
        verdicts = _verify_database(tenant)
    faults = sum(verdict.faults for verdict in verdicts)
    if not verdicts and export is not None:
        raise click.ClickException(f"{export} is empty: nothing was proven")
    if not verdicts:
        click.echo("nothing was noted yet")
    if faults:
        click.echo(f"{faults} finding(s): the audit is not what was noted", err=True)
    sys.exit(Exit.FAILED if faults else Exit.OK)


def _verify_database(tenant: str | None) -> list[Verdict]:
    try:
        return asyncio.run(_verify(read_settings(), tenant))
    except (CoordinatorError, OperationalError, *NO_ANSWER) as exc:
        raise click.ClickException(
            f"it could not be found out: Postgres or S3 does not answer ({type(exc).__name__})"
        ) from exc


async def _verify(settings: Settings, tenant: str | None) -> list[Verdict]:
    verdicts = []
    async with open_stores(settings) as stores:
        tenants = [tenant] if tenant else await tenants_of(stores, settings.s3_prefix)
        for each in tenants:
            verdict = await verify_audit(stores, settings.s3_prefix, each, _tell)
            _conclude(verdict)
            verdicts.append(verdict)
    return verdicts


def _verify_file(export: Path, heads: tuple[Path, ...], tenant: str | None) -> list[Verdict]:
    known = {head.tenant: head for head in map(_read_head, heads)}
    verdicts = []
    with export.open("rb") as lines:
        for verdict in verify_export(lines, known, _tell):
            if tenant in {None, verdict.tenant}:
                _conclude(verdict)
                verdicts.append(verdict)
    return verdicts


def _read_head(path: Path) -> Head:
    try:
        return audit_heads.decode(path.read_bytes())
    except ValueError as exc:
        raise click.ClickException(f"{path} is no exported head: {exc}") from exc


def _tell(tenant: str, finding: Finding) -> None:
    click.echo(f"{tenant or '?'}: {finding.says}")


def _conclude(verdict: Verdict) -> None:
    began = f" from position {verdict.first} on" if verdict.first > 1 else ""
    waiting = f"; {verdict.waiting} not chained yet" if verdict.waiting else ""
    holds = f"{verdict.faults} finding(s)" if verdict.faults else "all as they were noted"
    click.echo(
        f"{verdict.tenant or '?'}: {verdict.chained} row(s) chained{began}, {holds}{waiting}"
    )


@audit_command.command("export", epilog=EXIT_CODES)
@asking.tenant
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="From then on, in UTC; without, all.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; without, stdout."
)
@failures.guarded
def export_command(*, tenant: str | None, since: datetime | None, output: Path | None) -> Exit:
    """Write the audit as JSON, a row a line, each with its place in the hash chain."""
    params: dict[str, str] = {"limit": "10000"}
    if tenant:
        params["tenant"] = tenant
    if since is not None:
        params["since"] = since.replace(tzinfo=UTC).isoformat()
    with asking.service() as service, ExitStack() as stack:
        pages = _pages(service, params)
        first = next(pages)  # before a file is made for what may be refused
        file: BinaryIO = sys.stdout.buffer
        if output is not None:
            file = stack.enter_context(output.open("wb"))
        for page in chain([first], pages):
            file.write(page)
        file.flush()
    return Exit.OK


def _pages(service: Service, params: dict[str, str]) -> Iterator[bytes]:
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        answer = service.ask("GET", "/api/audit", params={**params, **more})
        yield answer.content
        cursor = answer.headers.get("X-Next-Cursor")


COMMANDS: Final = [audit_command]
