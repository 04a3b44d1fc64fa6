"""``coordinator retry``: run a failed job again."""

from typing import Final

import click

from coordinator.cli.asking import as_json, ask, plain_id, show_json
from coordinator.cli.failures import EXIT_CODES, Exit, guarded


@click.command("retry", epilog=EXIT_CODES)
@click.argument("job_id", callback=plain_id)
@as_json
@guarded
def retry_command(*, job_id: str, as_json: bool) -> Exit:
    """Run a failed job once more; JOB_ID (job_…) is what `status` shows."""
    job = ask("POST", f"/api/jobs/{job_id}/retry")
    if as_json:
        show_json(job)
    else:
        click.echo(f"{job['jobId']}  {job['kind']}  queued; attempt {job['attempt'] + 1} follows")
    return Exit.OK


COMMANDS: Final = [retry_command]
