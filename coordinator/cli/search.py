"""``coordinator search`` and ``coordinator datasets``: what is in the uploads that are there."""

from typing import Final

import click

from coordinator.cli.asking import as_json, show_json
from coordinator.cli.failures import EXIT_CODES, Exit, guarded
from coordinator.cli.view import printable
from coordinator.sdk import Client, Dataset, Hit

_MOST: Final = 100
_SHOWN: Final = 300  # characters of a text


@click.command("search", epilog=EXIT_CODES)
@click.argument("query")
@click.option("--upload", "upload_id", metavar="ID", help="Only rows of this upload.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=10, show_default=True)
@as_json
@guarded
def search_command(*, query: str, upload_id: str | None, limit: int, as_json: bool) -> Exit:
    """Find rows that mean what QUERY says, the nearest first."""
    with Client() as client:
        hits = client.search(query, upload_id=upload_id, limit=limit)
    for hit in hits:
        if as_json:
            show_json(hit)
        else:
            _show_hit(hit)
    if not hits and not as_json:
        click.echo("nothing found", err=True)
    return Exit.OK


def _show_hit(hit: Hit) -> None:
    text = " ".join(hit.text.split())
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    click.echo(f"{hit.score:.4f}  {hit.upload_id}  {printable(hit.file_name)}, row {hit.row}")
    click.echo(f"  {printable(shown)}")


@click.command("datasets", epilog=EXIT_CODES)
@as_json
@guarded
def datasets_command(*, as_json: bool) -> Exit:
    """List the data sets that have a card, newest first."""
    with Client() as client:
        for dataset in client.datasets():
            if as_json:
                show_json(dataset)
            else:
                _show_dataset(dataset)
    return Exit.OK


def _show_dataset(dataset: Dataset) -> None:
    shape = "no table"
    if dataset.rows is not None and dataset.columns is not None:
        shape = f"{dataset.rows} rows, {dataset.columns} columns"
    click.echo(f"{dataset.upload_id}  {printable(dataset.file_name)}  {shape}")
    if dataset.description:
        click.echo(f"  {printable(dataset.description)}")


COMMANDS: Final = [search_command, datasets_command]
