"""``coordinator dev``: everything on this machine, until Ctrl-C."""

import logging
import os
import shutil
import signal
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Final

import click

from coordinator import settings
from coordinator.cli.local import RUN_ENV, Local, home_folder, running_locally
from coordinator.cli.span_tree import render
from coordinator.cli.traces import QUIET_SECONDS, Receiver, receiving
from coordinator.embedded import EmbeddedError

_LOOK_SECONDS: Final = 1.0


@click.command("dev")
@click.option("--traces", is_flag=True, help="Print every request as a tree of its spans.")
def dev_command(*, traces: bool) -> None:
    """Start PostgreSQL, Valkey, SeaweedFS, the service and a worker, and end them together.

    Data, ports and the API key stay in .local (COORDINATOR_HOME names another folder).
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        settings.check_names(os.environ)
    except settings.SettingsError as exc:
        raise click.UsageError(str(exc)) from exc
    asked_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    home = home_folder(os.environ)
    try:
        with receiving() if traces else nullcontext() as receiver:
            variables = receiver.environ if receiver else None
            with running_locally(home, traces=variables) as local:
                _tell(local, home)
                while not asked_to_stop.wait(_LOOK_SECONDS):
                    _check(local)
                    if receiver:
                        _print_traces(receiver)
            if receiver:
                # Service and worker have sent their last spans while they ended.
                _print_traces(receiver, quiet_seconds=0.0)
    except EmbeddedError as exc:
        raise click.ClickException(str(exc)) from exc


def _tell(local: Local, home: Path) -> None:
    click.echo(f"service  {local.url}")
    click.echo(f"API key  {local.api_key}")
    click.echo(f"page     {_page(local)}")
    click.echo(f"settings set -a; . {home / RUN_ENV}; set +a")
    click.echo("Ctrl-C ends everything; the data stays.")


def _page(local: Local) -> str:
    """Return the address of the page; with its key only where a person reads it.

    The page takes the key out of the fragment, which no browser sends to anybody. A file or a log
    that this is piped into keeps an address without it.
    """
    return f"{local.url}/#key={local.api_key}" if sys.stdout.isatty() else f"{local.url}/"


def _check(local: Local) -> None:
    if dead := local.ended():
        log = local.keeper.log_path(dead)
        raise click.ClickException(f"the {dead} ended; {log} says why")


def _print_traces(receiver: Receiver, *, quiet_seconds: float = QUIET_SECONDS) -> None:
    for continues, spans in receiver.due(quiet_seconds=quiet_seconds):
        columns = shutil.get_terminal_size(fallback=(120, 24)).columns
        click.echo("\n".join(render(spans, columns=columns, continues=continues)))


COMMANDS: Final = [dev_command]
