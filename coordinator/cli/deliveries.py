"""``coordinator deliveries``: which sinks have heard of which events; dead ones are tried again."""

import re
from typing import Any, Final

import click

from coordinator.cli.asking import as_json, ask, plain_id, show_json
from coordinator.cli.failures import EXIT_CODES, Exit, guarded
from coordinator.domain.deliveries import State


def _sink(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[a-z0-9-]+", value):
        raise click.BadParameter("a sink's name is lower-case letters, digits and -")
    return value


def _show(delivery: dict[str, Any]) -> None:
    told = [delivery[name] for name in ("eventId", "type", "uploadId", "sink", "status")]
    told.append(f"attempts {delivery['attempt']}")
    if delivery["lastError"]:
        told.append(delivery["lastError"])
    if delivery["nextAttemptAt"]:
        told.append(f"next {delivery['nextAttemptAt']}")
    click.echo("  ".join(told))


@click.command("deliveries", epilog=EXIT_CODES)
@click.option("--state", type=click.Choice([each.value for each in State]), help="Only such.")
@click.option("--retry", "event_id", metavar="ID", callback=plain_id, help="Try this event again.")
@click.option("--sink", callback=_sink, metavar="NAME", help="With --retry: to which sink.")
@as_json
@guarded
def deliveries_command(
    *, state: str | None, event_id: str | None, sink: str | None, as_json: bool
) -> Exit:
    """List deliveries of events, newest first, or try a dead one again."""
    if (event_id is None) != (sink is None):
        raise click.UsageError("--retry and --sink belong together.")
    show = show_json if as_json else _show
    if event_id is not None:
        show(ask("POST", f"/api/deliveries/{event_id}/{sink}/retry"))
        return Exit.OK
    cursor: str | None = None
    while True:
        page = ask("GET", "/api/deliveries", params={"state": state, "cursor": cursor})
        for delivery in page["deliveries"]:
            show(delivery)
        cursor = page["nextCursor"]
        if cursor is None:
            return Exit.OK


COMMANDS: Final = [deliveries_command]
