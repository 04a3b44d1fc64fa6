"""Where the tests in a browser play: an installation, the way to its S3, and a page's backend.

browser ── line ── hostile proxy ── SeaweedFS
   │
   ├── service, worker
   └── backend, which serves the test's page
"""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx

import manifests
from coordinator import settings as settings_module
from coordinator.cli.keys import create_key
from coordinator.domain.access import Role
from coordinator.embedded import running
from tests.browser.backend import Backend, Service, backend
from tests.browser.line import Line, line_to
from tests.faults.hostile_s3 import PART, Exchange, Harm, HostileS3, harmless, hostile_s3
from tests.faults.installation import Installation, Program
from tests.forwarding import Answer, Request, passing_to

_PATIENCE_S: Final = 60.0
_QUIET_S: Final = 1.0


class Stage:
    """All of it, and what service and S3 say has happened."""

    def __init__(
        self, installation: Installation, s3: HostileS3, line: Line, page: Backend
    ) -> None:
        self.installation = installation
        self.s3 = s3
        self.line = line
        self.page = page
        self._http = httpx.Client(
            base_url=installation.url,
            headers={"Authorization": f"Bearer {installation.key}"},
            timeout=30.0,
        )

    def reset(self) -> None:
        """Make everything good again, and forget what was seen."""
        self.line.heal()
        self.s3.reset()
        self.s3.plan = self._noting
        self.stored: list[int] = []
        # Ids are in the order of their making.
        self._newest = max(
            (each["uploadId"] for each in self.ask("/api/uploads")["uploads"]), default=""
        )
        self.page.reset()
        self.page.service = service_of(self.installation, self.installation.service)

    def _noting(self, request: Request, operation: str, _nth: int) -> Harm | None:
        """Note the parts that S3 takes, by number, in order; ``harm`` goes before."""
        if operation != PART:
            return None

        def pass_on(exchange: Exchange) -> None:
            harmless(exchange)
            if exchange.status == HTTPStatus.OK:
                self.stored.append(int(request.query["partNumber"]))

        return pass_on

    def close(self) -> None:
        """Close what it looks with."""
        self._http.close()

    def key_for(self, *roles: Role, user: str = "default") -> str:
        """Make a key of a user who has these roles."""
        environ = self.installation.environ
        settings = settings_module.read(
            {k: v for k, v in environ.items() if k.startswith(settings_module.PREFIX)}
        )
        making = create_key(
            settings,
            name="tests",
            tenant="default",
            user=user,
            roles=roles,
            scopes=(),
            lifetime=None,
        )
        # In a thread: Playwright keeps a loop running in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, making).result().text

    def ask(self, path: str) -> Any:
        """Ask the service, as a backend may."""
        answer = self._http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell the service something, as a backend may."""
        answer = self._http.post(path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def status(self, upload_id: str) -> dict[str, Any]:
        """Read how the service says that an upload stands."""
        found: dict[str, Any] = self.ask(f"/api/upload/status/{upload_id}?verify=true")
        return found

    def uploads(self) -> dict[str, str]:
        """Return the uploads that were opened since the reset: their ids, by file name."""
        listed = self.ask("/api/uploads")["uploads"]
        new = [each for each in listed if each["uploadId"] > self._newest]
        names = [each["fileName"] for each in new]
        assert len(set(names)) == len(names), "a file was opened twice"
        return {each["fileName"]: each["uploadId"] for each in new}

    def await_status(self, upload_id: str, wanted: str) -> None:
        """Return once the service says so."""
        deadline = time.monotonic() + _PATIENCE_S
        while (found := self.status(upload_id)["status"]) != wanted:
            assert time.monotonic() < deadline, f"{found} and never {wanted}"
            time.sleep(0.1)

    def await_quiet(self) -> int:
        """Return how many parts have come, once no more come.

        Some were on the way already, in buffers that a slow line empties slowly; so it is healed.
        """
        self.line.heal()
        deadline = time.monotonic() + _PATIENCE_S
        before = -1
        while (now := self.s3.count(PART)) != before:
            assert time.monotonic() < deadline, "parts never stop coming"
            before = now
            time.sleep(_QUIET_S)
        self.s3.settle()
        return now

    def holds(self, upload_id: str, path: Path) -> bool:
        """Say whether the proven manifest is that of the file; it was compared with S3's own."""
        status = self.status(upload_id)
        if status["status"] != "COMPLETED":
            return False
        manifest = self.ask(f"/api/uploads/{upload_id}/manifest")
        digests = list(digests_of(path, manifest["chunkSize"]))
        found = (manifest["fileSize"], manifest["chunks"], manifest["root"])
        true_root = manifests.root(b"".join(digests))
        return found == (path.stat().st_size, [each.hex() for each in digests], true_root)


def refusing(status: int, code: str) -> Harm:
    """S3 refuses, and lets the page read why, as a bucket with CORS rules does."""
    headers = {"Content-Type": "application/xml", "Access-Control-Allow-Origin": "*"}
    body = f"<Error><Code>{code}</Code><Message>made up</Message></Error>".encode()

    def happen(exchange: Exchange) -> None:
        exchange.answer(Answer(status, headers, body))

    return happen


def altered(exchange: Exchange) -> None:
    """One bit of the body is changed on its way; S3 says itself what it thinks of it."""
    body = bytearray(exchange.request.body)
    body[len(body) // 2] ^= 1
    exchange.answer(exchange.pass_on(exchange.request._replace(body=bytes(body))))


def digests_of(path: Path, chunk_bytes: int) -> Iterator[bytes]:
    """Hash a file chunk by chunk, as it lies on the disk now; an empty one is one empty chunk."""
    with path.open("rb") as file:
        yield hashlib.sha256(file.read(chunk_bytes)).digest()
        while chunk := file.read(chunk_bytes):
            yield hashlib.sha256(chunk).digest()


def service_of(installation: Installation, program: Program) -> Service:
    """Describe one of the installation's services to a backend."""
    return Service(program.url, installation.key, installation.environ["COORDINATOR_SECRET"])


@contextmanager
def stage(folder: Path, builds: Path) -> Iterator[Stage]:
    """Set it up, for all tests of a run; ``builds`` is where bundles for pages lie."""
    with (
        backend(builds) as page,
        running(folder / "home") as servers,
        hostile_s3(passing_to(servers.addresses.s3_endpoint)) as s3,
        line_to(s3.address) as line,
    ):
        changes = {
            "COORDINATOR_S3_PUBLIC_ENDPOINT": line.address,
            "COORDINATOR_CORS_ORIGINS": page.address,
        }
        installation = Installation(servers, folder, changes)
        try:
            installation.start()
            made = Stage(installation, s3, line, page)
            made.reset()
            yield made
            made.close()
        finally:
            installation.end()
