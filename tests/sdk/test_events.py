"""Following an upload: typed events, one after the other, whatever happens to the connection."""

import asyncio
import json
import subprocess
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from coordinator.sdk import (
    AsyncClient,
    Client,
    Event,
    PhaseChanged,
    Pipeline,
    ProblemError,
    Progressed,
)
from tests.relay import relaying
from tests.sdk.installation import COORDINATOR, Installation


async def _open(installation: Installation) -> str:
    body = {"fileName": "a.bin", "fileSize": 5, "fileType": ""}
    async with _http(installation) as http:
        answer = await http.post("/api/upload/init", json=body)
    upload_id: str = answer.json()["uploadId"]
    return upload_id


def _http(installation: Installation) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {installation.key}"}
    return httpx.AsyncClient(base_url=installation.url, headers=headers)


async def test_a_broken_connection_is_made_anew_and_nothing_comes_twice(
    installation: Installation,
) -> None:
    """The reader notices nothing: its iterator goes on."""
    upload_id = await _open(installation)
    address = urlsplit(installation.url)
    told: list[Event] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read(url: str) -> None:
        with Client(url, installation.key) as client:
            for event in client.events(upload_id):
                told.append(event)
                if isinstance(event, Pipeline):
                    loop.call_soon_threadsafe(begun.set)

    async with relaying(address.hostname or "", address.port or 0) as relay:
        reading = asyncio.create_task(asyncio.to_thread(read, f"http://127.0.0.1:{relay.port}"))
        async with asyncio.timeout(20.0):
            await begun.wait()
            relay.cut()
            async with _http(installation) as http:
                await http.delete(f"/api/uploads/{upload_id}")
            await reading

    assert relay.connections > 1
    assert told[:3] == [
        Progressed(uploaded=0, total=1, percentage=0.0),
        PhaseChanged(status="INIT"),
        Pipeline(),
    ]
    # On the way to the end, its abort may have been seen or not.
    rest = [event for event in told[3:] if event != PhaseChanged(status="ASSEMBLING")]
    assert rest == [PhaseChanged(status="FAILED", reason="aborted")]


async def test_the_last_event_is_that_all_jobs_are_over(
    installation: Installation, client: Client, tmp_path: Path
) -> None:
    """Client, async client and command line end by themselves, and say the same."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"row": 1}\n' * 9)
    upload_id = client.upload(path).upload_id

    told = list(client.events(upload_id))
    async with AsyncClient(installation.url, installation.key) as other:
        again = [event async for event in other.events(upload_id)]
    shown = await asyncio.to_thread(
        partial(
            subprocess.run,
            [*COORDINATOR, "status", upload_id, "--follow", "--json"],
            env=installation.client_environ,
            capture_output=True,
            check=True,
            timeout=60,
        )
    )

    assert isinstance(told[-1], Pipeline)
    assert (told[-1].status, [job.status for job in told[-1].jobs]) == ("succeeded", ["succeeded"])
    assert again == [
        Progressed(uploaded=1, total=1, percentage=100.0),
        PhaseChanged(status="COMPLETED"),
        told[-1],
    ]
    kinds = zip(("progress", "phase", "jobs"), again, strict=True)
    assert [json.loads(line) for line in shown.stdout.splitlines()[1:]] == [
        {kind: msgspec.to_builtins(event)} for kind, event in kinds
    ]


def test_what_is_refused_is_raised_at_once(client: Client) -> None:
    """Trying again for two minutes would not make an upload."""
    with pytest.raises(ProblemError) as refusal:
        next(client.events("upl_00000000000000000000000001"))

    assert (refusal.value.code, refusal.value.status) == ("upload-not-found", 404)
