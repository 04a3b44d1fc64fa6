"""``coordinator demo-ai``: both pipelines over made-up data, held against the truth about it."""

import logging
import signal
import tempfile
import time
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import click

from coordinator.cli import demo_ai_checks as checks
from coordinator.cli import demo_ai_messages as messages
from coordinator.cli.demo_ai_receiver import Receiver, receiving
from coordinator.cli.demo_ai_redacted import Compared, compare
from coordinator.cli.demo_ai_report import Check, table_of_checks, table_of_kinds
from coordinator.cli.demo_ai_service import DemoError, Service
from coordinator.cli.demo_ai_uploads import RETRIEVAL, SETTINGS, TRAINING, Files, generate
from coordinator.cli.local import running_locally
from coordinator.embedded import EmbeddedError

_ROWS: Final = 200_000
_TEXTS: Final = 20_000
_SEED: Final = 2026
_JOBS_SECONDS: Final = 900.0
_EVENTS_SECONDS: Final = 90.0


@click.command("demo-ai")
@click.option("--rows", type=click.IntRange(1_000), default=_ROWS, help="Of the training data.")
@click.option("--texts", type=click.IntRange(1_000), default=_TEXTS, help="Of the other.")
@click.option("--seed", type=click.IntRange(0), default=_SEED, help="Another one, other data.")
def demo_ai_command(*, rows: int, texts: int, seed: int) -> None:
    """Run all AI jobs over made-up data, and report whether they found what was planted.

    Servers, service, worker and a receiver of webhooks are started for it and ended afterwards.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, _interrupted)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="demo-") as name, receiving() as receiver:
        folder = Path(name)
        click.echo(f"Making {rows} rows of training data and {texts} of texts, seed {seed} …")
        files = generate(folder, rows=rows, texts=texts, seed=seed)
        click.echo("Starting PostgreSQL, Valkey, SeaweedFS, the service and a worker …")
        changes = {**SETTINGS, **receiver.settings}
        try:
            with (
                running_locally(folder / "home", changes=changes) as local,
                closing(Service(local.url, local.api_key)) as service,
            ):
                found = _Demo(service, receiver, files, folder).run()
        except EmbeddedError as exc:
            raise click.ClickException(str(exc)) from exc
    wrong = sum(not each.is_ok for each in found)
    click.echo(f"\n{len(found)} checks, {wrong} wrong, {time.monotonic() - began:.0f} s")
    click.echo("Everything that was started has ended.")
    if wrong:
        raise DemoError("Not everything turned out as it should.")


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    raise click.Abort


class _Demo:
    """One run, step by step."""

    def __init__(self, service: Service, receiver: Receiver, files: Files, folder: Path) -> None:
        self._service = service
        self._receiver = receiver
        self._files = files
        self._folder = folder

    def run(self) -> list[Check]:
        """Upload, wait, and check everything."""
        upload_ids = {
            purpose: self._upload(purpose, path) for purpose, path in self._files.paths().items()
        }
        click.echo("")
        self._service.wait(upload_ids.values(), seconds=_JOBS_SECONDS, told=_tell)
        found = [*self._training(upload_ids[TRAINING]), *self._retrieval(upload_ids[RETRIEVAL])]
        wanted = messages.expected_events(upload_ids).total()
        messages.wait_for_events(self._receiver, wanted, seconds=_EVENTS_SECONDS)
        found += messages.of_events(self._receiver, upload_ids)
        click.echo(f"\n{table_of_checks(found)}")
        return found

    def _upload(self, purpose: str, path: Path) -> str:
        began = time.monotonic()
        upload_id = self._service.upload(path, purpose)
        size, seconds = path.stat().st_size, time.monotonic() - began
        click.echo(f"{path.name}: {size} bytes for {purpose}, {seconds:.1f} s, {upload_id}")
        return upload_id

    def _training(self, upload_id: str) -> list[Check]:
        truth = self._files.truth
        jobs = self._service.jobs(upload_id)
        found = checks.of_jobs(TRAINING, jobs)
        if not all(each.is_ok for each in found):
            return found
        plants = {
            row: [(each.kind, each.value) for each in planted]
            for row, planted in truth.plants.items()
        }
        compared = self._compared(upload_id, self._files.training, plants, found)
        click.echo(f"\n{table_of_kinds(compared.measures)}")
        click.echo(f"{truth.decoys} sentences that look like it and are none were planted, too.")
        artifacts = self._service.artifacts(upload_id)
        prepared = jobs["prepare_training_dataset"]
        return [
            *found,
            *checks.of_schema(jobs["validate_schema"], truth),
            *checks.of_scan(jobs["scan_pii"], truth.counts(), rows=len(truth.plants)),
            *checks.of_metadata(jobs["generate_metadata"], rows=truth.rows - len(truth.broken)),
            *checks.of_copy(compared, rows=truth.rows),
            *checks.of_training(prepared, self._shards(artifacts), truth, compared),
            *messages.of_handover(self._receiver, upload_id, prepared["result"], artifacts),
        ]

    def _retrieval(self, upload_id: str) -> list[Check]:
        texts = self._files.texts
        jobs = self._service.jobs(upload_id)
        found = checks.of_jobs(RETRIEVAL, jobs)
        if not all(each.is_ok for each in found):
            return found
        plants = {row: [planted] for row, planted in texts.plants.items()}
        compared = self._compared(upload_id, self._files.retrieval, plants, found)
        asked = [
            self._service.ask("/api/search", q=needle.question, limit="3")["rows"]
            for needle in texts.needles
        ]
        return [
            *found,
            *checks.of_copy(compared, rows=texts.rows),
            *checks.of_metadata(jobs["generate_metadata"], rows=texts.rows - texts.broken),
            *checks.of_retrieval(jobs, texts),
            *checks.of_search(upload_id, texts, asked),
        ]

    def _compared(
        self,
        upload_id: str,
        original: Path,
        plants: dict[int, list[tuple[str, str]]],
        found: list[Check],
    ) -> Compared:
        """Download what the service gives of the upload, and compare it with what was uploaded."""
        answer = self._service.ask(f"/api/uploads/{upload_id}/download")
        target = self._folder / f"{upload_id}.redacted"
        sha256 = self._service.fetch(answer["url"], target)
        copies = [
            each["sha256"]
            for (kind, _), each in self._service.artifacts(upload_id).items()
            if kind == "scan_pii"
        ]
        found += [
            Check("download: it is the redacted copy", True, answer["isRedacted"]),  # noqa: FBT003
            Check("download: the copy that the scan has made", copies, [sha256]),
        ]
        compared = compare(original, target, plants)
        for example in compared.examples:
            click.echo(f"  {example}")
        return compared

    def _shards(self, artifacts: messages.Artifacts) -> dict[str, Path]:
        """Fetch the parquet files, each checked by its SHA-256."""
        shards = {}
        for (kind, path), each in artifacts.items():
            if kind == "prepare_training_dataset" and path.endswith(".parquet"):
                shards[path] = self._folder / Path(path).name
                if self._service.fetch(each["url"], shards[path]) != each["sha256"]:
                    raise DemoError(f"{path} is not what the job made")
        return shards


def _tell(job: dict[str, Any]) -> None:
    rows = (job["result"] or {}).get("rows")
    counted = "" if rows is None else f", {rows} rows"
    click.echo(
        f"job {job['kind']:<26}{job['status']} in attempt {job['attempt']}{counted}"
        f"{'' if job['errorCode'] is None else ', ' + job['errorCode']}"
    )


COMMANDS: Final = [demo_ai_command]
