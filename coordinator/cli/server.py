"""Commands of the server: ``serve``, ``work``."""

import asyncio
import gc
from typing import Final

import click

from coordinator.app import create_app
from coordinator.cli.serving import serve
from coordinator.cli.starting import claimed, learned, migrated, read_settings
from coordinator.tracing.exporting import exporting
from coordinator.worker.run import run


@click.command("serve")
def serve_command() -> None:
    """Run the service against whatever the settings name."""
    settings = claimed(migrated(read_settings()))
    app = create_app(settings, learned(settings))
    # What start-up made stays for good: no collection needs to look at it again.
    gc.collect()
    gc.freeze()
    with exporting("coordinator-service"):
        serve(app, settings)


@click.command("work")
def work_command() -> None:
    """Run a worker: jobs, hashing of objects, takeover of abandoned uploads."""
    settings = claimed(migrated(read_settings()))
    with exporting("coordinator-worker"):
        asyncio.run(run(settings, learned(settings)))


COMMANDS: Final = [serve_command, work_command]
