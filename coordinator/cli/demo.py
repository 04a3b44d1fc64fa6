"""``coordinator demo``: one upload on real servers, each step and each proof shown."""

import hashlib
import json
import logging
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import botocore.session
import click
import httpx
from botocore.config import Config

import manifests
from coordinator.cli.local import Local, running_locally
from coordinator.embedded import EmbeddedError

_ROWS: Final = 400_000
_JOB_SECONDS: Final = 120.0
_ENDED: Final = frozenset({"succeeded", "failed", "skipped", "cancelled"})


class DemoError(click.ClickException):
    """Something did not turn out as promised."""


@click.command("demo")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def demo_command(file: Path | None) -> None:
    """Upload FILE, or a generated data set, to servers started for it; end them afterwards."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, _interrupted)
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        path = file or _generate(Path(folder) / "dataset.jsonl")
        click.echo("Starting PostgreSQL, Valkey, SeaweedFS, the service and a worker …")
        try:
            with running_locally(Path(folder) / "home") as local:
                _Demo(local, path).run()
        except EmbeddedError as exc:
            raise click.ClickException(str(exc)) from exc
    click.echo("\nEverything that was started has ended.")


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    raise click.Abort


def _generate(path: Path) -> Path:
    """Write a data set of some 30 MB: four chunks, the last one shorter."""
    with path.open("w", encoding="utf-8") as rows:
        for number in range(_ROWS):
            label = ("positive", "neutral", "negative")[number % 3]
            text = f"Row number {number} of a generated data set"
            rows.write(json.dumps({"id": number, "text": text, "label": label}) + "\n")
    return path


class _Demo:
    """One run, step by step."""

    def __init__(self, local: Local, path: Path) -> None:
        self._path = path
        self._local = local
        self._service = httpx.Client(
            base_url=local.url,
            headers={"Authorization": f"Bearer {local.api_key}"},
            timeout=120.0,
        )
        self._s3 = httpx.Client(timeout=600.0)

    def run(self) -> None:
        """Do it."""
        with self._service, self._s3:
            upload = self._open()
            digests = self._send(upload)
            done = self._complete(upload, digests)
            self._prove(done)
            self._show_jobs(upload["uploadId"])

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._service.request(method, path, json=body)
        if not answer.is_success:
            raise DemoError(f"{method} {path} answered {answer.status_code}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def _open(self) -> dict[str, Any]:
        size = self._path.stat().st_size
        wish = {
            "fileName": self._path.name,
            "fileSize": size,
            "fileType": "application/jsonl" if self._path.suffix == ".jsonl" else "",
            "metadata": {"purpose": "training"},
        }
        upload = self._call("POST", "/api/upload/init", wish)
        click.echo(f"\n{self._path.name}: {size} bytes, upload {upload['uploadId']}")
        click.echo(f"{upload['totalChunks']} chunk(s) of at most {upload['chunkSize']} bytes\n")
        return upload

    def _chunks(self, chunk_size: int, count: int) -> Iterator[tuple[int, bytes]]:
        with self._path.open("rb") as file:
            for index in range(count):
                yield index, file.read(chunk_size)

    def _send(self, upload: dict[str, Any]) -> bytes:
        """PUT every chunk straight to S3, the first one with a broken byte before."""
        digests = b""
        for index, data in self._chunks(upload["chunkSize"], upload["totalChunks"]):
            digest = hashlib.sha256(data)
            digests += digest.digest()
            asked = {"chunkIndex": index, "sha256": digest.hexdigest()}
            signed = self._call(
                "POST", "/api/upload/urls", {"uploadId": upload["uploadId"], "chunks": [asked]}
            )["chunks"][0]
            if index == 0:
                self._send_corrupted(upload["uploadId"], signed, data)
            answer = self._s3.put(signed["url"], headers=signed["headers"], content=data)
            if not answer.is_success:
                raise DemoError(f"S3 refused chunk {index} with {answer.status_code}")
            report = {"uploadId": upload["uploadId"], "chunkIndex": index}
            progress = self._call("POST", "/api/upload/chunk", report)["progress"]
            click.echo(
                f"chunk {index:>4}  {len(data):>9} bytes  sha256 {digest.hexdigest()[:16]}…  "
                f"S3 {answer.status_code}  {progress['percentage']:6.2f} %"
            )
        return digests

    def _send_corrupted(self, upload_id: str, signed: dict[str, Any], data: bytes) -> None:
        """Send other bytes than were signed for: S3 itself must refuse them."""
        broken = bytes([data[0] ^ 1]) + data[1:] if data else b"x"
        answer = self._s3.put(signed["url"], headers=signed["headers"], content=broken)
        if answer.is_success:
            raise DemoError("S3 took a corrupted chunk")
        code = answer.text.partition("<Code>")[2].partition("</Code>")[0]
        status = self._call("GET", f"/api/upload/status/{upload_id}?verify=true")
        if 0 not in status["missingChunks"]:
            raise DemoError("a corrupted chunk counts as uploaded")
        click.echo(
            "chunk    0  one bit flipped on purpose: "
            f"S3 refused it with {answer.status_code} {code}, the chunk is still missing"
        )

    def _complete(self, upload: dict[str, Any], digests: bytes) -> dict[str, Any]:
        checksum = f"sha256-tree:{manifests.root(digests)}"
        body = {"uploadId": upload["uploadId"], "checksum": checksum}
        done = self._call("POST", "/api/upload/complete", body)
        click.echo(f"\n{done['message']}\n  {done['location']}")
        return done

    def _prove(self, done: dict[str, Any]) -> None:
        """Ask S3 for its own checksum, past the service."""
        environ = self._local.environ
        s3: Any = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=environ["COORDINATOR_S3_ENDPOINT"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            region_name=environ["AWS_REGION"],
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        head = s3.head_object(
            Bucket=environ["COORDINATOR_S3_BUCKET"], Key=done["filePath"], ChecksumMode="ENABLED"
        )
        root, composite = done["manifest"]["root"], head.get("ChecksumSHA256")
        click.echo(f"  root of the manifest    {root}")
        click.echo(f"  S3's composite sha256   {composite}")
        if root != composite:
            raise DemoError("the two differ")
        click.echo("  equal: what S3 holds is what was read from the file, chunk by chunk")

    def _show_jobs(self, upload_id: str) -> None:
        deadline = time.monotonic() + _JOB_SECONDS
        while time.monotonic() < deadline:
            jobs = self._call("GET", f"/api/uploads/{upload_id}/jobs")["jobs"]
            if all(job["status"] in _ENDED for job in jobs):
                break
            time.sleep(0.2)
        for job in jobs:
            click.echo(f"\njob {job['kind']}: {job['status']} in attempt {job['attempt']}")
            if job["status"] != "succeeded":
                raise DemoError("the job did not succeed")
            if job["kind"] == "generate_metadata":
                _show_table(job["result"])
            else:
                _show_status(job["result"])


def _show_status(result: dict[str, Any]) -> None:
    why = f": {result['reason']}" if result.get("reason") else ""
    rows = f", {result['rows']} rows" if result.get("rows") else ""
    click.echo(f"  {result['status']}{why}{rows}")


def _show_table(result: dict[str, Any]) -> None:
    detected = result["detected"]
    click.echo(f"  {detected['format']}, {result['sizeBytes']} bytes, {result['status']}")
    if result["status"] == "described":
        click.echo(f"  {result['reason']}: {result['detail']}")
        return
    click.echo(f"  {result['rows']} rows, {result['columnCount']} columns")
    for column in result["columns"]:
        click.echo(
            f"  {column['name']:<12} {column['type']:<10} nulls {column['nullCount']}, "
            f"about {column['approxDistinct']} distinct, {column['min']} … {column['max']}"
        )


COMMANDS: Final = [demo_command]
