"""``coordinator doctor``: examine the stores that the settings name, and say what to do."""

import asyncio
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coordinator.cli.starting import accepted_weaknesses, read_settings
from coordinator.domain.examination import Group, Line, Result
from coordinator.operations.examine_stores import examine_stores

_WIDE: Final = (120, 24)  # where there is no terminal
_TITLES: Final = {
    Group.S3: "S3",
    Group.BROWSERS: "Browsers",
    Group.PERMISSIONS: "Permissions",
    Group.CLOCKS: "Clocks",
    Group.POSTGRES: "PostgreSQL",
    Group.REDIS: "Redis",
}
_COLOURS: Final = {Result.OK: "green", Result.LACKING: "yellow", Result.UNKNOWN: "magenta"}

HELP: Final = """Examine S3, PostgreSQL and Redis, and say what each finding means and what to do.

S3 is probed with tiny real uploads under <prefix>/.probe/, which are removed.

\b
Exit codes:
  0  the service would start, and nothing that was found loses data
  1  it would refuse to start, or uploads would fail or be lost: see the lines marked !
  2  wrong usage, or a setting is missing
"""


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """What ``--json`` prints."""

    starts: bool
    lines: list[Line]


@click.command("doctor", help=HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor_command(*, as_json: bool) -> None:
    """Examine the stores; ``HELP`` says what the user is told."""
    settings = read_settings()
    lines = asyncio.run(examine_stores(settings, accepted_weaknesses(settings)))
    starts = not any(line.stops for line in lines)
    if as_json:
        report = msgspec.json.encode(Report(starts, lines))
        click.echo(msgspec.json.format(report).decode())
    else:
        _print(lines, starts=starts)
    sys.exit(0 if starts else 1)


def _print(lines: Sequence[Line], *, starts: bool) -> None:
    console = Console(width=shutil.get_terminal_size(_WIDE).columns, highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("name", "result"):
        table.add_column(column, no_wrap=True)
    table.add_column("means", overflow="fold")
    for group in Group:
        members = [line for line in lines if line.group is group]
        if members:
            table.add_row(Text(_TITLES[group], style="bold"), "", "")
        for line in members:
            table.add_row(f"  {line.name}", _result(line), _meaning(line))
    console.print(table)
    counts = Counter(line.result for line in lines)
    told = ", ".join(f"{counts[result]} {result}" for result in Result)
    end = (
        "The service would start."
        if starts
        else "The service would not start, or uploads would fail or be lost: see the lines with !"
    )
    console.print(f"\n{told}. {end}", style="green" if starts else "red")


def _result(line: Line) -> Text:
    style = "bold red" if line.stops else _COLOURS[line.result]
    return Text(f"{line.result} !" if line.stops else line.result, style=style)


def _meaning(line: Line) -> Text:
    text = Text(line.means)
    if line.do:
        text.append(f"\n-> {line.do}", style="dim")
    return text


COMMANDS: Final = [doctor_command]
