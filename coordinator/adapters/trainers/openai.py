"""A server that speaks OpenAI's ``/files`` and ``/fine_tuning/jobs``.

These have no names of ours but a file's: it is made from the job's id, and looked for before one is
sent; a training is known by the file that it reads.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from coordinator.adapters.outbound_http import new_client, read_at_most
from coordinator.adapters.trainers.asking import (
    Material,
    TrainerAwayError,
    TrainerRefusedError,
    http_faults,
    judge,
)
from coordinator.domain.trainers import OpenAiTrainer
from coordinator.domain.trainings import OF_OPENAI, Handoff, Standing, TrainingStatus, shortened

_SECONDS: Final = 60.0
_READ_BYTES: Final = 8 * 1024 * 1024
_PAGE: Final = 100
_MOST_PAGES: Final = 50
_READY_SECONDS: Final = 20.0
_NOT_READY: Final = frozenset({"uploaded", "pending", "processing"})

# OpenAI reads two files of a training; nobody trains on the third.
_MEMBERS: Final = {"train": "training_file", "validation": "validation_file"}


class OpenAiClient:
    """Asks one server."""

    def __init__(self, trainer: OpenAiTrainer) -> None:
        self._trainer = trainer
        self._base = trainer.url.rstrip("/")
        key = {"Authorization": f"Bearer {trainer.api_key}"} if trainer.api_key else {}
        self._client = new_client(
            allow_private=trainer.allow_private, seconds=_SECONDS, headers=key
        )

    def submit(self, handoff: Handoff, material: Material) -> Standing:
        """Send the files and begin the training, each unless an earlier try did."""
        material.note()
        files = self._files_of(handoff.job_id)
        sent: dict[str, str] = {}
        for split, member in _MEMBERS.items():
            if split in handoff.splits:
                name = file_name(handoff.job_id, split)
                sent[member] = files.get(name) or self._send(name, split, material)
        earlier = self._earlier(sent["training_file"])
        if earlier is not None:
            return earlier
        self._wait_until_ready(sent["training_file"], material)
        request: dict[str, Any] = {
            "model": handoff.model or self._trainer.model,
            **sent,
            "metadata": {
                "coordinator_job": handoff.job_id,
                "coordinator_upload": handoff.upload_id,
            },
        }
        if handoff.hyperparameters:
            request["hyperparameters"] = dict(handoff.hyperparameters)
        return _standing(
            self._ask(
                "POST",
                "/fine_tuning/jobs",
                content=msgspec.json.encode(request),
                headers={
                    "Content-Type": "application/json",
                    "Idempotency-Key": f"{handoff.job_id}-training",
                },
            )
        )

    def look(self, external_id: str) -> Standing | None:
        """Ask where it stands."""
        try:
            return _standing(self._ask("GET", f"/fine_tuning/jobs/{external_id}"))
        except TrainerRefusedError as exc:
            if exc.detail.startswith("http-404"):
                return Standing(external_id=external_id, status=TrainingStatus.UNKNOWN)
            raise

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _files_of(self, job_id: str) -> dict[str, str]:
        """Return the ids of the job's files that earlier tries sent, by name."""
        return {
            str(each["filename"]): str(each["id"])
            for each in self._listed("/files", {"purpose": "fine-tune"})
            if str(each.get("filename", "")).startswith(f"{job_id}-")
            and each.get("status") != "error"
        }

    def _earlier(self, file_id: str) -> Standing | None:
        """Find the training that an earlier try began."""
        for each in self._listed("/fine_tuning/jobs", {}):
            if each.get("training_file") == file_id:
                return _standing(each)
        return None

    def _send(self, name: str, split: str, material: Material) -> str:
        """Send a file. It is made twice: a first time to learn how long it is."""
        size = sum(map(len, material.lines(split)))
        if size > self._trainer.max_file_bytes:
            raise TrainerRefusedError(
                f"file-too-large: {split} has {size} bytes, the trainer takes "
                f"{self._trainer.max_file_bytes}"
            )
        form = _Form(name, material.lines(split), size)
        answer = self._ask("POST", "/files", content=form.blocks(), headers=form.headers)
        return str(answer["id"])

    def _wait_until_ready(self, file_id: str, material: Material) -> None:
        """Give the server some time to check the file; not all say when they have."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            material.note()
            status = self._ask("GET", f"/files/{file_id}").get("status")
            if status == "error":
                raise TrainerRefusedError("file-refused: the trainer cannot read it")
            if status not in _NOT_READY:
                return
            time.sleep(1)

    def _listed(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield a list's entries, page by page."""
        wanted = {**query, "limit": str(_PAGE)}
        for _ in range(_MOST_PAGES):
            page = self._ask("GET", path, params=wanted)
            entries = page.get("data", [])
            yield from entries
            if not page.get("has_more") or not entries:
                return
            wanted["after"] = str(entries[-1]["id"])

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        with (
            http_faults(),
            self._client.stream(method, self._base + path, **request) as answer,
        ):
            body = read_at_most(answer, _READ_BYTES)
            judge(answer.status_code, body, hide=self._trainer.confidential)
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise TrainerAwayError("no-json") from None


def file_name(job_id: str, split: str) -> str:
    """Name a split's file, the same in every try."""
    return f"{job_id}-{split}.jsonl"


class _Form:
    """A form of two fields, streamed, of a length that is known before."""

    def __init__(self, name: str, lines: Iterator[bytes], size: int) -> None:
        boundary = f"coordinator-{name}"
        self._before = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        ).encode()
        self._after = f"\r\n--{boundary}--\r\n".encode()
        self._lines = lines
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(self._before) + size + len(self._after)),
        }

    def blocks(self) -> Iterator[bytes]:
        yield self._before
        yield from self._lines
        yield self._after


def _standing(job: Mapping[str, Any]) -> Standing:
    error = job.get("error")
    said = error.get("message") if isinstance(error, Mapping) else None
    model = job.get("fine_tuned_model")
    return Standing(
        external_id=str(job["id"]),
        status=OF_OPENAI.get(str(job.get("status")), TrainingStatus.RUNNING),
        model=model if isinstance(model, str) else None,
        detail=shortened(said) if isinstance(said, str) else None,
    )
