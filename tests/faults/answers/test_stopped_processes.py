"""A process is stopped while it holds the lease, and wakes when another has done its work."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from coordinator.adapters import leases
from coordinator.adapters.bucket import Bucket, TooLateError
from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from coordinator.operations.take_over_uploads import take_over_uploads
from tests.builders import SMALLEST, complete, cut, row_of, send, send_all, some_bytes
from tests.faults import harms
from tests.faults.answers import stopping
from tests.faults.answers.proving import (
    BODY,
    await_lease_end,
    check_completed_once,
    end_lease,
    written,
)
from tests.faults.hostile_s3 import COMPLETE, DELETE, HEAD, LIST, PUT, HostileS3
from tests.operations.decoys import assemble_decoy

_ROOT = Path(__file__).parents[3]

# On LocalStack two completes at once corrupt the object, whoever sends them.
pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@contextmanager
def _child(environ: dict[str, str], point: str, upload_id: str) -> Iterator[subprocess.Popen[str]]:
    # Its S3 deadline is long, so that it gives nothing up when it wakes.
    patient = {"COORDINATOR_S3_DEADLINE_SECONDS": "60", "COORDINATOR_LEASE_SECONDS": "120"}
    command = [sys.executable, "-m", stopping.__name__, point, upload_id]
    with subprocess.Popen(
        command, cwd=_ROOT, env=os.environ | environ | patient, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _await_stop(child: subprocess.Popen[str]) -> None:
    found = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert found is not None
    assert found.si_code == os.CLD_STOPPED, "it ended and did not stop"


@pytest.mark.parametrize("point", ["before-complete", "compared", "after-complete"])
async def test_a_stopped_process_that_wakes_after_the_takeover_changes_nothing(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    environ: dict[str, str],
    *,
    point: str,
) -> None:
    """Between check and sending nothing can stop it: S3 gets a second request, and stays whole."""
    chunks = cut(some_bytes(SMALLEST + 9), SMALLEST)
    upload_id = await send_all(client, s3_http, chunks)
    with _child(environ, point, upload_id) as child:
        await asyncio.to_thread(_await_stop, child)
        sent_before = s3.count(COMPLETE)
        early = await take_over_uploads(stores)
        await await_lease_end(stores, upload_id)
        taken = await take_over_uploads(stores)
        done, sent = await row_of(stores.pool, upload_id), s3.count(COMPLETE)
        before = await written(stores, upload_id)
        child.send_signal(signal.SIGCONT)
        output, _ = await asyncio.to_thread(child.communicate)

    # It learns that it lost the lease: what it was given is what it still believes.
    assert (child.returncode, json.loads(output)) == (0, {"phase": "ASSEMBLING", "attempt": 1})
    assert (early, taken, done.phase, done.attempt) == (0, 1, Phase.COMPLETED, 2)
    first, woken = {"before-complete": (0, 1), "compared": (0, 0), "after-complete": (1, 0)}[point]
    assert (sent_before, sent, s3.count(COMPLETE)) == (first, 1, 1 + woken)
    after = await row_of(stores.pool, upload_id)
    assert msgspec.structs.replace(after, as_of=done.as_of) == done
    assert await written(stores, upload_id) == before
    await check_completed_once(client, stores, s3, upload_id, b"".join(chunks))


async def test_a_lease_that_was_renewed_too_late_sends_nothing(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """Postgres kept the renewal waiting: S3's deadline would not end within the lease any more."""
    upload_id = await send_all(client, s3_http, [BODY])
    listed = threading.Event()
    s3.harm(LIST, harms.held(listed))
    asked = asyncio.create_task(complete(client, upload_id))
    await asyncio.to_thread(s3.await_count, LIST, 1)
    row = await row_of(stores.pool, upload_id)

    async with stores.pool.connection() as conn, conn.transaction():
        await conn.execute("SELECT FROM uploads WHERE id = %s FOR UPDATE", [row.id])
        listed.set()
        # The lease is 3 s, S3's deadline 1 s: after 2 s nothing may begin any more.
        await asyncio.sleep(2.2)
    answer = await asked
    sent = s3.count(COMPLETE)
    renewed = await row_of(stores.pool, upload_id)

    assert (answer.status_code, sent) == (202, 0)
    assert renewed.lease_until is not None
    assert row.lease_until is not None
    assert renewed.lease_until > row.lease_until
    await await_lease_end(stores, upload_id)
    assert (await take_over_uploads(stores), s3.count(COMPLETE)) == (1, 1)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_nothing_is_sent_after_the_moment_to_begin(stores: Stores, s3: HostileS3) -> None:
    """A process that was stopped before sending has no time left."""
    bucket: Bucket = stores.bucket

    with pytest.raises(TooLateError):
        await bucket.complete("any/key", "any multipart", (), size_bytes=1, start_by=0.0)

    assert s3.count(COMPLETE) == 0


async def test_a_lost_lease_cannot_be_given_back(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """The manifest is on its way to S3 while another attempt takes over and finishes."""
    upload_id = await send_all(client, s3_http, [BODY])
    arrives = threading.Event()
    s3.harm(PUT, harms.held(arrives))
    asked = asyncio.create_task(complete(client, upload_id))
    await asyncio.to_thread(s3.await_count, PUT, 1)
    stale = await row_of(stores.pool, upload_id)

    await await_lease_end(stores, upload_id)
    taken = await take_over_uploads(stores)
    arrives.set()
    answer = await asked

    assert (taken, answer.status_code) == (1, 202)
    with pytest.raises(leases.LeaseLostError):
        async with stores.pool.connection() as conn:
            await leases.leave(conn, stale, Phase.COMPLETED)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_what_a_stale_attempt_saw_at_the_key_deletes_no_finished_object(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """It saw a damaged object, long ago: another attempt has removed that, and finished since."""
    upload_id = await send_all(client, s3_http, [BODY])
    await assemble_decoy(stores, await row_of(stores.pool, upload_id), BODY, "bytes")
    arrives = threading.Event()
    s3.harm(HEAD, harms.answered_late(arrives))
    stale = asyncio.create_task(complete(client, upload_id))
    await asyncio.to_thread(s3.await_count, HEAD, s3.count(HEAD) + 1)

    await end_lease(stores, upload_id)
    refused = await complete(client, upload_id)
    await send(client, s3_http, upload_id, {0: BODY})
    answer = await complete(client, upload_id)
    arrives.set()
    told = await stale

    assert (refused.status_code, answer.status_code, told.status_code) == (409, 200, 202)
    assert s3.count(DELETE) == 1
    await check_completed_once(client, stores, s3, upload_id, BODY)
