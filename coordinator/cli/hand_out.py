"""``hand-out``: open an upload for somebody else, who sends the file without a key."""

from typing import Any, Final

import click

from coordinator.cli.asking import as_json, show_json
from coordinator.cli.failures import EXIT_CODES, Exit, guarded
from coordinator.sdk import Client


@click.command("hand-out", epilog=EXIT_CODES)
@click.argument("file_name")
@click.argument("size", type=click.IntRange(0))
@click.option("--user", "user_id", help="Whose upload it is; needs the scope act-as.")
@click.option("--purpose", help="Chooses the jobs: training, retrieval, archive.")
@click.option("--type", "file_type", help="Media type; otherwise guessed from the name.")
@as_json
@guarded
def hand_out(*, as_json: bool, **asked: Any) -> Exit:
    """Open an upload of SIZE bytes and print a token for it.

    Whoever has the token uploads the file, by a page or by
    `COORDINATOR_API_KEY=TOKEN coordinator upload FILE --resume ID`, and does nothing else.
    """
    with Client() as client:
        handed = client.hand_out(**asked)
    if as_json:
        show_json(handed)
        return Exit.OK
    click.echo(f"{handed.upload_id}  until {handed.expires_at.isoformat(timespec='seconds')}")
    click.echo(handed.token)
    return Exit.OK


COMMANDS: Final[list[click.Command]] = [hand_out]
