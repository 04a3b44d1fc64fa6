"""``coordinator bucket``: rules of the configured bucket, written as they are needed."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import click
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from coordinator.adapters.s3_clients import Clients, open_clients
from coordinator.adapters.stores import bucket_options
from coordinator.cli.asking import as_json, show_json
from coordinator.cli.policy import NO_PAGES
from coordinator.cli.starting import read_settings
from coordinator.domain import bucket_policy
from coordinator.domain.bucket_rules import CorsChange, with_rule
from coordinator.origins import fault_of
from coordinator.settings import Settings

_NONE: Final = "NoSuchCORSConfiguration"
_PATIENCE_SECONDS: Final = 60
_LACKS_IT: Final = frozenset(
    {HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.BAD_REQUEST}
)


@click.group("bucket")
def bucket_group() -> None:
    """Write rules of the bucket that the settings name."""


def _origins(_ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> list[str]:
    for origin in value:
        if fault := fault_of(origin):
            raise click.BadParameter(f"{origin} cannot be used: {fault}.")
    return list(dict.fromkeys(value))


@bucket_group.command("cors")
@click.option(
    "--origin",
    "named",
    multiple=True,
    callback=_origins,
    help="Let in pages of this origin, in place of those that the settings name. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@as_json
def cors_command(*, named: list[str], dry_run: bool, as_json: bool) -> None:
    """Write the CORS rule without which no page can send parts to S3.

    It lets in the service's own pages (COORDINATOR_PUBLIC_URL) and those of
    COORDINATOR_CORS_ORIGINS, and nobody else. Its ID is <prefix>-pages; rules with other IDs stay
    as they are. Run it with credentials that may change the bucket: the service's need not.
    """
    settings = read_settings()
    origins = named or settings.page_origins
    if not origins:
        raise click.UsageError(NO_PAGES)
    [own] = bucket_policy.cors(settings.s3_prefix, origins)["CORSRules"]
    change = asyncio.run(_write(settings, own, is_trial=dry_run))
    is_changed = change.is_needed and not dry_run
    if as_json:
        told = {"bucket": settings.s3_bucket, "dryRun": dry_run, "isNeeded": change.is_needed}
        show_json({**told, "isChanged": is_changed, "rule": own, "foreignRules": change.foreign})
        return
    done = {True: "written", False: "would be written"}[is_changed]
    click.echo(f"{own['ID']}: {done if change.is_needed else 'is as it must be'}")
    click.echo(msgspec.json.format(msgspec.json.encode(own)).decode())
    for rule in change.foreign:
        allowed = ", ".join(rule.get("AllowedOrigins", []))
        click.echo(f"{rule.get('ID') or 'a rule without ID'}: stays; lets in {allowed}")


async def _write(settings: Settings, own: dict[str, Any], *, is_trial: bool) -> CorsChange:
    try:
        async with (
            asyncio.timeout(_PATIENCE_SECONDS),
            open_clients(bucket_options(settings)) as clients,
        ):
            change = with_rule(await _read(clients, settings.s3_bucket), own)
            if change.is_needed and not is_trial:
                rules: Any = change.rules
                await clients.usual.put_bucket_cors(
                    Bucket=settings.s3_bucket, CORSConfiguration={"CORSRules": rules}
                )
            return change
    except ClientError as exc:
        raise click.ClickException(_refusal(exc, settings.s3_bucket)) from exc
    except (BotoCoreError, TimeoutError) as exc:
        raise click.ClickException(
            f"S3 gave no answer ({type(exc).__name__}): nothing is known to be written. "
            "`coordinator doctor` examines it."
        ) from exc


async def _read(clients: Clients, bucket: str) -> list[dict[str, Any]]:
    try:
        answer = await clients.usual.get_bucket_cors(Bucket=bucket)
    except ClientError as exc:
        if exc.response["Error"]["Code"] == _NONE:
            return []
        raise
    rules: list[dict[str, Any]] = msgspec.to_builtins(answer.get("CORSRules", []))
    return rules


def _refusal(exc: ClientError, bucket: str) -> str:
    """Say what S3 refused, and who can do what about it; nothing was written."""
    code = exc.response["Error"]["Code"]
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    refused = f"S3 refuses {exc.operation_name} ({code}); nothing was written. "
    if status == HTTPStatus.FORBIDDEN:
        return refused + (
            "The credentials may not do that, and the service's need not: run this with those of "
            f"whoever owns the bucket (s3:GetBucketCORS and s3:PutBucketCORS on {bucket})."
        )
    if status == HTTPStatus.NOT_FOUND:
        return refused + f"There is no bucket {bucket}: see COORDINATOR_S3_BUCKET."
    if status in _LACKS_IT:
        return refused + (
            "This server may have no CORS rules of a bucket's own: let the pages in by its own "
            "configuration, and ask `coordinator doctor` whether they are."
        )
    return refused + "`coordinator doctor` examines the bucket."


COMMANDS: Final = [bucket_group]
