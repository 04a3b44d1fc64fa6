"""``coordinator stats``: uploads and bytes over time."""

from datetime import datetime
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from coordinator.cli.asking import as_json, ask, show_json, tenant
from coordinator.cli.failures import EXIT_CODES, Exit, guarded
from coordinator.cli.view import printable
from coordinator.domain.statistics import By, Every

_COUNTS: Final = ("opened", "completed", "failed")
_DAY: Final = click.DateTime(["%Y-%m-%d"])


@click.command("stats", epilog=EXIT_CODES)
@click.option("--by", type=click.Choice([each.value for each in By]), default=By.USER.value)
@click.option("--from", "first", type=_DAY, help="First day, UTC. Without: 30 days.")
@click.option("--to", "last", type=_DAY, help="Last day. Without: today.")
@click.option("--every", type=click.Choice([each.value for each in Every]), default="day")
@tenant
@as_json
@guarded
def stats_command(
    *,
    by: str,
    first: datetime | None,
    last: datetime | None,
    every: str,
    tenant: str | None,
    as_json: bool,
) -> Exit:
    """Count uploads and the bytes of completed ones, over time.

    By tenant, a key with the scope every-tenant sees all of them.
    """
    params: dict[str, Any] = {"by": by, "every": every, "tenant": tenant}
    params |= {name: day.date().isoformat() for name, day in (("from", first), ("to", last)) if day}
    answer = ask("GET", "/api/stats", params=params)
    rows = answer["rows"]
    while (cursor := answer.pop("nextCursor")) is not None:
        # The days of the first answer: midnight may come between two pages.
        fixed = params | {"from": answer["from"], "to": answer["to"], "cursor": cursor}
        answer = ask("GET", "/api/stats", params=fixed)
        rows += answer["rows"]
    if as_json:
        show_json(answer | {"rows": rows})
    else:
        Console(highlight=False).print(_table(by, rows))
    return Exit.OK


def _table(by: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    table.add_column("period", "total")
    table.add_column(by)
    for name in _COUNTS:
        table.add_column(name, str(sum(row[name] for row in rows)), justify="right")
    table.add_column("bytes", decimal(sum(row["bytes"] for row in rows)), justify="right")
    for row in rows:
        counts = (str(row[name]) for name in _COUNTS)
        key = printable(row["key"]) or "(erased)"
        table.add_row(row["period"], key, *counts, decimal(row["bytes"]))
    return table


COMMANDS: Final = [stats_command]
