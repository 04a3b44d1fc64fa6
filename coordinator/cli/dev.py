"""``coordinator dev``: everything on this machine, until Ctrl-C."""

import logging
import os
import signal
import threading
from types import FrameType
from typing import Final

import click

from coordinator import settings
from coordinator.cli.local import RUN_ENV, home_folder, running_locally
from coordinator.embedded import EmbeddedError

_LOOK_SECONDS: Final = 1.0


@click.command("dev")
def dev_command() -> None:
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
        with running_locally(home) as local:
            click.echo(f"service  {local.url}")
            click.echo(f"API key  {local.api_key}")
            click.echo(f"settings set -a; . {home / RUN_ENV}; set +a")
            click.echo("Ctrl-C ends everything; the data stays.")
            while not asked_to_stop.wait(_LOOK_SECONDS):
                if dead := local.ended():
                    log = local.keeper.log_path(dead)
                    raise click.ClickException(f"the {dead} ended; {log} says why")
    except EmbeddedError as exc:
        raise click.ClickException(str(exc)) from exc


COMMANDS: Final = [dev_command]
