"""What ``coordinator demo-ai`` asks the service, as a program of a customer would."""

import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
import httpx

from coordinator.cli.demo_ai_uploads import METADATA
from coordinator.sdk import Client

_PAUSE_SECONDS: Final = 0.5
_ENDED: Final = frozenset({"succeeded", "failed", "skipped", "cancelled"})


class DemoError(click.ClickException):
    """Something did not turn out as promised."""


class Service:
    """One service, with a key of it."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._service = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=120.0
        )
        self._s3 = httpx.Client(timeout=600.0)

    def close(self) -> None:
        """Close connections."""
        self._service.close()
        self._s3.close()

    def upload(self, path: Path, purpose: str) -> str:
        """Upload a file, and return its id."""
        with Client(self._url, self._key) as client:
            return client.upload(path, purpose, metadata=METADATA[purpose], again=True).upload_id

    def ask(self, path: str, **query: str) -> dict[str, Any]:
        """GET what is JSON."""
        answer = self._service.get(path, params=query, headers={"Accept": "application/json"})
        if not answer.is_success:
            raise DemoError(f"GET {path} answered {answer.status_code}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def jobs(self, upload_id: str) -> dict[str, dict[str, Any]]:
        """Return an upload's jobs by kind."""
        found = self.ask(f"/api/uploads/{upload_id}/jobs")["jobs"]
        return {job["kind"]: job for job in found}

    def wait(
        self,
        upload_ids: Iterable[str],
        *,
        seconds: float,
        told: Callable[[dict[str, Any]], None] = lambda _job: None,
    ) -> None:
        """Wait until all jobs have ended; ``told`` hears of each that has."""
        deadline = time.monotonic() + seconds
        seen: set[str] = set()
        waiting = list(upload_ids)
        while waiting:
            if time.monotonic() > deadline:
                raise DemoError(f"jobs did not end within {seconds:.0f} s")
            time.sleep(_PAUSE_SECONDS)
            for upload_id in list(waiting):
                jobs = self.jobs(upload_id).values()
                for job in jobs:
                    if job["status"] in _ENDED and job["jobId"] not in seen:
                        seen.add(job["jobId"])
                        told(job)
                if all(job["status"] in _ENDED for job in jobs):
                    waiting.remove(upload_id)

    def artifacts(self, upload_id: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what the jobs made, by kind and path."""
        found = self.ask(f"/api/uploads/{upload_id}/artifacts")["artifacts"]
        return {(each["kind"], each["path"]): each for each in found}

    def fetch(self, url: str, target: Path) -> str:
        """Fetch from S3, and return the SHA-256 of what came."""
        digest = hashlib.sha256()
        with self._s3.stream("GET", url) as answer, target.open("wb") as file:
            if not answer.is_success:
                raise DemoError(f"S3 answered {answer.status_code}")
            for block in answer.iter_bytes():
                digest.update(block)
                file.write(block)
        return digest.hexdigest()
