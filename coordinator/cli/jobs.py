"""``jobs``, ``job``, ``run-job``, ``retry``, ``cancel``: what operators do with AI jobs."""

import sys
from typing import Any, Final

import click
import msgspec

from coordinator.cli.asking import as_json, ask, plain_id, show_json
from coordinator.cli.failures import EXIT_CODES, Exit, guarded
from coordinator.cli.view import printable

_STATES: Final = ("waiting", "queued", "running", "succeeded", "failed", "skipped", "cancelled")


def _line(job: dict[str, Any]) -> str:
    progress = job["progress"]
    how_far = f"  {progress['done']} of {progress['total']}" if progress else ""
    why = f"  ({job['errorCode']})" if job["errorCode"] else ""
    return printable(
        f"{job['jobId']}  {job['uploadId']}  {job['kind']:<24}  {job['status']}{how_far}{why}"
    )


def _show(job: dict[str, Any], *, as_json: bool) -> Exit:
    if as_json:
        show_json(job)
    else:
        click.echo(_line(job))
    return Exit.OK


@click.command("jobs", epilog=EXIT_CODES)
@click.option("--kind", help="Only this kind.")
@click.option("--status", type=click.Choice(_STATES), help="failed: those that wait for you.")
@click.option("--upload", "upload_id", callback=plain_id, help="Only this upload's.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@as_json
@guarded
def jobs_command(*, limit: int, as_json: bool, upload_id: str | None, **filters: Any) -> Exit:
    """List jobs over all uploads, the newest first."""
    cursor, left = None, limit
    while left:
        params = {**filters, "uploadId": upload_id, "limit": min(left, 100), "cursor": cursor}
        page = ask("GET", "/api/jobs", params=params)
        for job in page["jobs"]:
            _show(job, as_json=as_json)
        left -= len(page["jobs"])
        cursor = page["nextCursor"]
        if cursor is None:
            break
    return Exit.OK


@click.command("job", epilog=EXIT_CODES)
@click.argument("job_id", callback=plain_id)
@guarded
def job_command(*, job_id: str) -> Exit:
    """Show one job with all that it found, as JSON."""
    found = msgspec.json.encode(ask("GET", f"/api/jobs/{job_id}"))
    click.echo(msgspec.json.format(found, indent=2).decode())
    return Exit.OK


@click.command("run-job", epilog=EXIT_CODES)
@click.argument("upload_id", callback=plain_id)
@click.argument("kind")
@click.option("--parameters", default="{}", help="JSON, or - for standard input.")
@as_json
@guarded
def run_job_command(*, upload_id: str, kind: str, parameters: str, as_json: bool) -> Exit:
    """Run a kind of job on a completed upload, told otherwise than before.

    The same kind told the same is the same job, and does not run again.
    """
    text = sys.stdin.read() if parameters == "-" else parameters
    try:
        told = msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        raise click.BadParameter(f"no JSON: {exc}", param_hint="--parameters") from exc
    body = {"kind": kind, "parameters": told}
    return _show(ask("POST", f"/api/uploads/{upload_id}/jobs", body=body), as_json=as_json)


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


@click.command("cancel", epilog=EXIT_CODES)
@click.argument("job_id", callback=plain_id)
@as_json
@guarded
def cancel_command(*, job_id: str, as_json: bool) -> Exit:
    """End a job that has not begun; one that runs stops within seconds."""
    return _show(ask("POST", f"/api/jobs/{job_id}/cancel"), as_json=as_json)


COMMANDS: Final[list[click.Command]] = [
    jobs_command,
    job_command,
    run_job_command,
    retry_command,
    cancel_command,
]
