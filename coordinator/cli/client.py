"""Commands of the client: ``upload``, ``status``, ``list``, ``download``, ``abort``, ``verify``.

Rule: with ``--json`` stdout carries JSON, an object a line, and nothing else.
"""

import re
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.filesize import decimal

from coordinator.cli.asking import as_json, show_json
from coordinator.cli.failures import (
    EXIT_CODES,
    Exit,
    InterruptedUploadError,
    complain,
    error_code,
    exit_code,
    guarded,
)
from coordinator.cli.view import event_failed, event_kind, event_line, printable, watching
from coordinator.sdk import Client, ClientError, Completed, Handle, Pipeline, Status, check_file
from manifests import Manifest, ManifestError, Verdict, parse

_UPLOAD_ID: Final = re.compile(r"upl_[0-9A-Za-z]{26}")
_SHOWN_CHUNKS: Final = 20
# A request that all files share would fail alike for the next one.
_HOPELESS: Final = frozenset({Exit.UNREACHABLE, Exit.REFUSED})


def _metadata(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> dict[str, Any] | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=dict[str, Any])
    except msgspec.DecodeError as exc:
        raise click.BadParameter(f"no JSON object: {exc}") from exc


@click.command("upload", epilog=EXIT_CODES)
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.option("--purpose", help="Chooses the jobs: training, retrieval, archive.")
@click.option("--metadata", callback=_metadata, help="A JSON object to keep with the upload.")
@click.option("--type", "file_type", help="Media type; otherwise guessed from the name.")
@click.option("--chunk-size", type=click.IntRange(1), help="Bytes; otherwise the service decides.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--resume", metavar="ID", help="Continue this upload; needed after 24 hours only.")
@click.option("--again", is_flag=True, help="Make a second copy of what is completed already.")
@click.option("--wait", is_flag=True, help="Wait for the jobs, too.")
@as_json
@guarded
def upload(
    *,
    files: tuple[str, ...],
    resume: str | None,
    wait: bool,
    as_json: bool,
    **options: Any,
) -> Exit:
    """Upload files straight to S3, each chunk under its own sha256.

    Started again after whatever stopped it, it sends only what is missing.
    """
    if resume is not None and len(files) > 1:
        raise click.UsageError("--resume continues one upload, of one file.")
    worst = Exit.OK
    with Client() as client:
        for file in files:
            code = _upload_one(client, file, resume, wait=wait, as_json=as_json, options=options)
            worst = worst or code
            if code in _HOPELESS:
                break
    return worst


def _upload_one(
    client: Client,
    file: str,
    resume: str | None,
    *,
    wait: bool,
    as_json: bool,
    options: dict[str, Any],
) -> Exit:
    name = Path(file).name
    failure: ClientError | None = None
    with watching(name) as watch:
        try:
            handle = client.upload(file, resume=resume, progress=watch, **options)
            pipeline = handle.wait().ai_pipeline if wait else handle.result.ai_pipeline
        except ClientError as exc:
            failure = exc
        except KeyboardInterrupt as exc:
            raise InterruptedUploadError(_how_to_resume(watch.upload_id)) from exc
    # The bar is gone: what is printed now stands on lines of its own.
    if failure is not None:
        return _show_failure(file, watch.upload_id, failure, as_json=as_json)
    _show_uploaded(file, handle, pipeline or Pipeline(), as_json=as_json)
    has_failed = wait and pipeline is not None and pipeline.status == "failed"
    return Exit.FAILED if has_failed else Exit.OK


def _show_failure(file: str, upload_id: str | None, failure: ClientError, *, as_json: bool) -> Exit:
    complain(failure, f"{printable(Path(file).name)}: ")
    if as_json:
        error = {"code": error_code(failure), "detail": str(failure)}
        show_json({"file": file, "uploadId": upload_id, "error": error})
    return exit_code(failure)


def _how_to_resume(upload_id: str | None) -> str:
    if upload_id is None:
        return "Interrupted before anything was sent."
    return (
        "Interrupted. Nothing is lost: run the same command again and only what is missing is "
        f"sent (after more than 24 hours with --resume {upload_id})."
    )


def _show_uploaded(file: str, handle: Handle, pipeline: Pipeline, *, as_json: bool) -> None:
    result: Completed = handle.result
    if as_json:
        answer = msgspec.to_builtins(result)
        show_json({"file": file, **answer, "aiPipeline": msgspec.to_builtins(pipeline)})
        return
    click.echo(f"{printable(Path(file).name)}  {result.upload_id}  completed")
    click.echo(f"  location  {result.location}")
    click.echo(f"  root      {result.manifest.root}")
    for job in pipeline.jobs:
        click.echo(f"  job       {job.kind}: {job.status}")


@click.command("status", epilog=EXIT_CODES)
@click.argument("upload_id")
@click.option("--verify", is_flag=True, help="Have the service ask S3 first.")
@click.option("--follow", is_flag=True, help="Then print each change, until all jobs are over.")
@as_json
@guarded
def status(*, upload_id: str, verify: bool, follow: bool, as_json: bool) -> Exit:
    """Show one upload."""
    with Client() as client:
        found = client.status(upload_id, verify=verify)
        _show_found(found, as_json=as_json)
        return _follow(client, upload_id, as_json=as_json) if follow else Exit.OK


def _follow(client: Client, upload_id: str, *, as_json: bool) -> Exit:
    """Print events; an upload or a job that failed is a failure."""
    code = Exit.OK
    for event in client.events(upload_id):
        if event_failed(event):
            code = Exit.FAILED
        if as_json:
            show_json({event_kind(event): event})
        else:
            click.echo(event_line(event))
    return code


def _show_found(found: Status, *, as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        _show_status(found)


def _show_status(found: Status) -> None:
    reason = f" ({found.reason})" if found.reason else ""
    click.echo(f"{found.upload_id}  {found.status}{reason}")
    click.echo(f"  file      {printable(found.file_name)}, {decimal(found.file_size)}")
    done = found.progress
    click.echo(f"  chunks    {done.uploaded} of {done.total}, {done.percentage}%")
    if found.file_path:
        click.echo(f"  object    {found.file_path}")
    for job in found.ai_pipeline.jobs if found.ai_pipeline else []:
        click.echo(f"  job       {job.kind}: {job.status}")


@click.command("list", epilog=EXIT_CODES)
@click.option(
    "--phase",
    type=click.Choice(
        ["INIT", "UPLOADING", "ASSEMBLING", "COMPLETED", "FAILED"], case_sensitive=False
    ),
)
@as_json
@guarded
def list_uploads(*, phase: str | None, as_json: bool) -> Exit:
    """List your uploads, newest first."""
    with Client() as client:
        for each in client.list(phase=phase):
            if as_json:
                show_json(each)
            else:
                size = decimal(each.file_size)
                click.echo(
                    f"{each.upload_id}  {each.status:<10}  {size:>9}  {printable(each.file_name)}"
                )
    return Exit.OK


@click.command("download", epilog=EXIT_CODES)
@click.argument("upload_id")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write, or folder for it."
)
@guarded
def download(*, upload_id: str, output: Path | None) -> Exit:
    """Download a completed upload; it gets its name only when it has been verified."""
    with Client() as client, watching(upload_id) as watch:
        written = client.download(upload_id, output, progress=watch)
    click.echo(printable(str(written)))
    return Exit.OK


@click.command("abort", epilog=EXIT_CODES)
@click.argument("upload_id")
@guarded
def abort(*, upload_id: str) -> Exit:
    """Abort an open upload. What is completed stays."""
    with Client() as client:
        is_done = client.abort(upload_id)
    click.echo(f"{upload_id} {'aborted' if is_done else 'is being aborted'}")
    return Exit.OK


@click.command("verify", epilog=EXIT_CODES)
@click.argument("file", type=click.Path(dir_okay=False))
@click.argument("upload_or_manifest", metavar="(UPLOAD_ID | MANIFEST)")
@as_json
@guarded
def verify(*, file: str, upload_or_manifest: str, as_json: bool) -> Exit:
    """Check a local file against a completed upload, or against a manifest's file."""
    manifest = _manifest(upload_or_manifest)
    with watching(Path(file).name) as watch:
        verdict = check_file(file, manifest, listener=watch)
    if as_json:
        show_json({"file": file, "isMatch": verdict.is_match, **msgspec.to_builtins(verdict)})
    else:
        _show_verdict(Path(file).name, manifest, verdict)
    return Exit.OK if verdict.is_match else Exit.FAILED


def _manifest(argument: str) -> Manifest:
    path = Path(argument)
    if _UPLOAD_ID.fullmatch(argument) and not path.exists():
        with Client() as client:
            return client.manifest(argument)
    try:
        return parse(path.read_bytes())
    except OSError as exc:
        raise click.UsageError(f"{argument}: neither an upload's id nor a file to read.") from exc
    except ManifestError as exc:
        raise click.UsageError(f"{argument}: no manifest: {exc.detail} ({exc.code})") from exc


def _show_verdict(name: str, manifest: Manifest, verdict: Verdict) -> None:
    if verdict.is_match:
        click.echo(f"{printable(name)}: same, {manifest.chunk_count} chunk(s), {manifest.root}")
        return
    click.echo(f"{printable(name)}: differs")
    if verdict.size_difference:
        kind = "longer" if verdict.size_difference > 0 else "shorter"
        click.echo(f"  {abs(verdict.size_difference)} bytes {kind}")
    for index in verdict.wrong_chunks[:_SHOWN_CHUNKS]:
        start = index * manifest.chunk_size
        click.echo(f"  chunk {index}: bytes {start} to {start + manifest.chunk_length(index)}")
    if len(verdict.wrong_chunks) > _SHOWN_CHUNKS:
        click.echo(f"  and {len(verdict.wrong_chunks) - _SHOWN_CHUNKS} chunks more; see --json")


COMMANDS: Final[list[click.Command]] = [upload, status, list_uploads, download, abort, verify]
