"""Commands on how long uploads are kept: ``erase``, ``erasures``, ``hold``, ``retention``."""

import time
from typing import Any, Final

import click

from coordinator.cli.asking import as_json, ask, plain_id, show_json, tenant
from coordinator.cli.failures import EXIT_CODES, Exit, guarded

_EVERY_SECONDS: Final = 1.0


def _show(erasure: dict[str, Any]) -> None:
    report = erasure["report"]
    about = erasure["uploadId"] or erasure["userId"] or "a user, erased"
    how = f"{erasure['cause']}{', dry run' if erasure['dryRun'] else ''}"
    click.echo(f"{erasure['erasureId']}  {erasure['status']}  {about}  ({how})")
    counts = ("uploads", "objects", "versions", "bytes", "multiparts", "jobs", "queueEntries")
    click.echo("  " + "  ".join(f"{name} {report[name]}" for name in counts))
    for name in ("remaining", "refused"):
        if report[name]:
            click.echo(f"  {name} {report[name]}")
    for each in report["held"]:
        click.echo(f"  held: {each}")


@click.command("erase", epilog=EXIT_CODES)
@click.argument("upload_id", required=False, callback=plain_id)
@click.option("--user", help="Erase all that is this user's, and who that was.")
@click.option("--dry-run", is_flag=True, help="Count, and remove nothing.")
@click.option("--wait", is_flag=True, help="Wait until a worker has finished it.")
@tenant
@as_json
@guarded
def erase_command(
    *,
    upload_id: str | None,
    user: str | None,
    dry_run: bool,
    wait: bool,
    tenant: str | None,
    as_json: bool,
) -> Exit:
    """Erase an upload, or a user: objects with all their versions, and every row."""
    if (upload_id is None) == (user is None):
        raise click.UsageError("Name either an UPLOAD_ID or a --user.")
    named = {"uploadId": upload_id} if upload_id else {"userId": user}
    params = {"tenant": tenant}
    erasure = ask("POST", "/api/erasures", body={**named, "dryRun": dry_run}, params=params)
    while wait and erasure["status"] != "finished":
        time.sleep(_EVERY_SECONDS)
        erasure = ask("GET", f"/api/erasures/{erasure['erasureId']}", params=params)
    (show_json if as_json else _show)(erasure)
    return Exit.OK


@click.command("erasures", epilog=EXIT_CODES)
@tenant
@as_json
@guarded
def erasures_command(*, tenant: str | None, as_json: bool) -> Exit:
    """List erasures with their reports, newest first."""
    cursor: str | None = None
    while True:
        page = ask("GET", "/api/erasures", params={"tenant": tenant, "cursor": cursor})
        for erasure in page["erasures"]:
            (show_json if as_json else _show)(erasure)
        cursor = page["nextCursor"]
        if cursor is None:
            return Exit.OK


@click.command("hold", epilog=EXIT_CODES)
@click.argument("upload_id", callback=plain_id)
@click.option("--case", required=True, help="For what it must be kept.")
@tenant
@guarded
def hold_command(*, upload_id: str, case: str, tenant: str | None) -> Exit:
    """Keep an upload: no erasure, no retention, no abort until the hold is lifted."""
    path = f"/api/uploads/{upload_id}/hold"
    ask("PUT", path, body={"case": case}, params={"tenant": tenant})
    click.echo(f"{upload_id} is on hold for {case}")
    return Exit.OK


@click.command("unhold", epilog=EXIT_CODES)
@click.argument("upload_id", callback=plain_id)
@tenant
@guarded
def unhold_command(*, upload_id: str, tenant: str | None) -> Exit:
    """Lift the hold of an upload."""
    ask("DELETE", f"/api/uploads/{upload_id}/hold", params={"tenant": tenant})
    click.echo(f"{upload_id} is not on hold")
    return Exit.OK


@click.group("retention")
def retention_command() -> None:
    """How long finished objects are kept."""


@retention_command.command("show", epilog=EXIT_CODES)
@tenant
@as_json
@guarded
def show(*, tenant: str | None, as_json: bool) -> Exit:
    """Show the rules, and what they would do now."""
    params = {"tenant": tenant}
    rules = ask("GET", "/api/retention", params=params)["rules"]
    due = ask("GET", "/api/retention/preview", params=params)["due"]
    counts = {each["purpose"]: each for each in due}
    for rule in rules:
        now = counts.get(rule["purpose"], {"uploads": 0, "bytes": 0})
        if as_json:
            show_json({**rule, "uploads": now["uploads"], "bytes": now["bytes"]})
        else:
            click.echo(
                f"{rule['purpose']}  {rule['action']} after {rule['afterDays']} days; "
                f"due now: {now['uploads']} uploads, {now['bytes']} bytes"
            )
    if not rules and not as_json:
        click.echo("no rules: everything is kept")
    return Exit.OK


@retention_command.command("set", epilog=EXIT_CODES)
@click.argument("rules", nargs=-1, metavar="[PURPOSE=DAYS:ACTION]...")
@tenant
@guarded
def change(*, rules: tuple[str, ...], tenant: str | None) -> Exit:
    """Replace all rules, as in `archive=365:archive '*=90:delete'`; none: keep everything."""
    body = {"rules": [_rule(text) for text in rules]}
    ask("PUT", "/api/retention", body=body, params={"tenant": tenant})
    click.echo(f"{len(rules)} rules are set")
    return Exit.OK


def _rule(text: str) -> dict[str, Any]:
    purpose, _equals, rest = text.partition("=")
    days, _colon, action = rest.partition(":")
    if not days.isdecimal():
        raise click.BadParameter(f"{text} is no rule: write PURPOSE=DAYS:delete or :archive")
    return {"purpose": purpose, "afterDays": int(days), "action": action}


COMMANDS: Final = [
    erase_command,
    erasures_command,
    hold_command,
    unhold_command,
    retention_command,
]
