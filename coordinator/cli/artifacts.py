"""``artifacts``: list what an upload's jobs made, and fetch it."""

import hashlib
import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Final

import click
import httpx

from coordinator.cli.asking import as_json, ask, plain_id, show_json
from coordinator.cli.failures import EXIT_CODES, Exit, guarded
from coordinator.cli.view import printable
from coordinator.sdk.errors import (
    MismatchError,
    StoreError,
    UnexpectedAnswerError,
    UnreachableError,
)
from manifests import Verdict

_TIMEOUT_S: Final = 60.0


@click.command("artifacts", epilog=EXIT_CODES)
@click.argument("upload_id", callback=plain_id)
@click.option("--kind", help="Only what jobs of this kind made.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Fetch them into this folder, each checked by its sha256.",
)
@as_json
@guarded
def artifacts_command(
    *, upload_id: str, kind: str | None, output: Path | None, as_json: bool
) -> Exit:
    """List what the jobs of an upload made; with --output, fetch it."""
    found = ask("GET", f"/api/uploads/{upload_id}/artifacts")["artifacts"]
    for each in found:
        if kind not in {None, each["kind"]}:
            continue
        if output is not None:
            _fetch(each, output)
        if as_json:
            # Without the address: whoever reads a log could read the object by it.
            show_json({name: value for name, value in each.items() if name != "url"})
        else:
            click.echo(printable(f"{each['kind']:<24}  {each['size']:>14}  {each['path']}"))
    return Exit.OK


def _fetch(artifact: dict[str, Any], folder: Path) -> None:
    """Write the whole proven artifact under its path, or nothing.

    Raises:
        MismatchError: what came is not what the job made.
        StoreError, UnreachableError: S3 refuses, or is away.

    """
    parts = PurePosixPath(artifact["path"]).parts
    if any(part in {"..", "/"} for part in parts):
        raise UnexpectedAnswerError(f"{printable(artifact['path'])} leads out of the folder.")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as file:
        try:
            with httpx.stream("GET", artifact["url"], timeout=_TIMEOUT_S) as answer:
                if not answer.is_success:
                    raise StoreError("S3 refuses.", status=answer.status_code, code="")
                for block in answer.iter_bytes():
                    digest.update(block)
                    file.write(block)
            if digest.hexdigest() != artifact["sha256"]:
                raise MismatchError(
                    f"{printable(artifact['path'])} is not what the job made.",
                    Verdict(wrong_chunks=(), size_difference=0, sha256_matches=False),
                )
            file.close()
            os.replace(file.name, target)  # noqa: PTH105 - file.name is a str
        except httpx.TransportError as exc:
            raise UnreachableError(f"S3 does not answer: {type(exc).__name__}.") from exc
        finally:
            Path(file.name).unlink(missing_ok=True)


COMMANDS: Final[list[click.Command]] = [artifacts_command]
