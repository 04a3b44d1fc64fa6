"""Client and command with an upload token in place of a key."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coordinator.domain.access import Role, Scope
from coordinator.sdk import AsyncClient, Client, FileChangedError, HandedOut, ProblemError
from tests.sdk.histories import CHUNK, change, interrupt
from tests.sdk.installation import COORDINATOR, Installation, key_in
from tests.sdk.meddler import Meddler

MakeFile = Callable[[int], Path]


@pytest.fixture(scope="module")
def backend_key(installation: Installation) -> str:
    """A key of a backend that uploads for its users."""
    return key_in(
        installation,
        tenant="default",
        user="backend",
        roles=(Role.UPLOADER,),
        scopes=(Scope.ACT_AS,),
    )


@pytest.fixture
def backend(installation: Installation, backend_key: str) -> Iterator[Client]:
    """The backend's client."""
    with Client(installation.url, backend_key) as opened:
        yield opened


def _hand_out(backend: Client, path: Path) -> HandedOut:
    size = path.stat().st_size
    return backend.hand_out(file_name=path.name, size=size, user_id="bob", chunk_size=CHUNK)


def test_a_file_is_sent_with_a_token_alone(
    installation: Installation, backend: Client, make_file: MakeFile, meddler: Meddler
) -> None:
    """As the user that the backend named; sent again, nothing is sent."""
    path = make_file(2 * CHUNK + 1)
    handed = _hand_out(backend, path)
    with Client(installation.url, handed.token) as holder:
        first = holder.upload(path, resume=handed.upload_id)
        status = first.status()
        again = holder.upload(path, resume=handed.upload_id)
        with pytest.raises(ProblemError) as refusal:
            holder.upload(path)

    assert (handed.chunk_size, handed.total_chunks) == (CHUNK, 3)
    assert timedelta(minutes=55) < handed.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    assert handed.token not in repr(handed)
    assert (status.status, status.user_id) == ("COMPLETED", "bob")
    assert again.result.manifest == first.result.manifest
    assert sorted(meddler.stored) == [0, 1, 2]
    assert (refusal.value.status, refusal.value.code) == (403, "role-missing")


def test_a_token_goes_on_where_another_one_ended(
    installation: Installation, backend: Client, make_file: MakeFile, meddler: Meddler
) -> None:
    """Only what is missing is sent, without the manifest, which is not a token's to read."""
    path = make_file(3 * CHUNK)
    handed = _hand_out(backend, path)
    with Client(installation.url, handed.token) as holder:
        interrupt(holder, meddler, path, after=1, resume=handed.upload_id)
        meddler.settle()
        before = list(meddler.stored)
    renewed = backend.renew_token(handed.upload_id)
    with Client(installation.url, renewed.token) as holder:
        holder.upload(path, resume=handed.upload_id)

    assert renewed.upload_id == handed.upload_id
    assert 0 < len(before) < 3
    assert sorted(meddler.stored) == [0, 1, 2]


@pytest.mark.parametrize("is_completed", [False, True])
def test_a_changed_file_is_noticed_without_the_manifest(
    installation: Installation,
    backend: Client,
    meddler: Meddler,
    make_file: MakeFile,
    *,
    is_completed: bool,
) -> None:
    """Signing compares while the upload is open, and the root once it is completed."""
    path = make_file(2 * CHUNK + 9)
    handed = _hand_out(backend, path)
    with Client(installation.url, handed.token) as holder:
        if is_completed:
            holder.upload(path, resume=handed.upload_id)
        else:
            interrupt(holder, meddler, path, after=1, resume=handed.upload_id)
            meddler.settle()
        change(path, at=5, keep_time=False)

        with pytest.raises(FileChangedError):
            holder.upload(path, resume=handed.upload_id)


def test_a_shell_hands_out_and_another_one_sends(
    installation: Installation, backend_key: str, make_file: MakeFile
) -> None:
    """The variable that holds a key holds the token."""
    path = make_file(9)

    def run(key: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COORDINATOR, *arguments],
            env={**installation.client_environ, "COORDINATOR_API_KEY": key},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    handed = run(backend_key, "hand-out", path.name, "9", "--user", "bob")
    (first, token) = handed.stdout.splitlines()
    sent = run(token, "upload", os.fspath(path), "--resume", first.split()[0], "--wait", "--json")

    assert (handed.returncode, sent.returncode) == (0, 0), handed.stderr + sent.stderr
    assert json.loads(sent.stdout)["status"] == "completed"


async def test_the_asynchronous_client_hands_out_too(
    installation: Installation, backend_key: str
) -> None:
    """The same key of its own finds the same upload."""
    async with AsyncClient(installation.url, backend_key) as backend:
        first, second = [
            await backend.hand_out(
                file_name="a.bin", size=3, user_id="bob", idempotency_key="tests-once"
            )
            for _ in "ab"
        ]
        renewed = await backend.renew_token(first.upload_id)

    assert first.upload_id == second.upload_id == renewed.upload_id
    assert renewed.token.startswith("ut_")
