"""Commands of the server: ``serve``, ``work``."""

import asyncio
import gc
import os
from typing import Final

import click

from coordinator.adapters.queue import OTHER_QUEUES, queue_of
from coordinator.app import create_app
from coordinator.cli.serving import serve
from coordinator.cli.starting import claimed, learned, migrated, read_settings
from coordinator.domain.kinds import Kind
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
@click.option(
    "--kinds",
    multiple=True,
    type=click.Choice([*Kind, *OTHER_QUEUES]),
    help="Only these kinds of jobs (uploads: what uploads themselves need). May be repeated; "
    "without it, all.",
)
def work_command(kinds: tuple[str, ...]) -> None:
    """Run a worker: jobs, hashing of objects, takeover of abandoned uploads.

    With DASK_SCHEDULER_ADDRESS set, the pieces of jobs are computed by that cluster.
    """
    settings = claimed(migrated(read_settings()))
    queues = [each if each in OTHER_QUEUES else queue_of(Kind(each)) for each in kinds]
    dask_address = os.environ.get("DASK_SCHEDULER_ADDRESS") or None
    with exporting("coordinator-worker"):
        asyncio.run(
            run(settings, learned(settings), queues=queues or None, dask_address=dask_address)
        )


COMMANDS: Final = [serve_command, work_command]
