"""Aborting before a lying S3: parts that arrive late go, a finished object stays, and it ends."""

import asyncio
import threading

import httpx
import pytest

from coordinator.adapters import bucket
from coordinator.adapters.s3_answers import MultipartGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase, Reason
from coordinator.operations.take_over_uploads import take_over_uploads
from tests.builders import complete, open_upload, row_of, send, send_all
from tests.faults import harms
from tests.faults.answers.proving import BODY, check_completed_once, end_lease
from tests.faults.hostile_s3 import ABORT, COMPLETE, CREATE, LIST, HostileS3


async def test_an_abort_repeats_until_late_parts_are_gone(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """A part was in flight: S3 answers success and holds it afterwards; parts cost money."""
    upload_id = await send_all(client, s3_http, [BODY])
    for nth in (1, 2):
        s3.harm(ABORT, harms.forgotten(), nth=nth)

    answer = await client.delete(f"/api/uploads/{upload_id}")

    row = await row_of(stores.pool, upload_id)
    assert (answer.status_code, row.phase, row.reason) == (204, Phase.FAILED, Reason.ABORTED)
    assert (s3.statuses(ABORT), s3.statuses(LIST)) == ([204] * 3, [200, 200, 404])
    assert row.multipart_id is not None
    with pytest.raises(MultipartGoneError):
        await stores.bucket.list_parts(row.object_key, row.multipart_id, row.plan)


async def test_an_abort_that_never_takes_effect_ends_and_is_tried_later(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3 lists the part for ever: no loop without end, the intent stays and is taken over."""
    pauses = bucket._ABORT_PAUSES[:3]
    monkeypatch.setattr(bucket, "_ABORT_PAUSES", pauses)
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(ABORT, harms.forgotten(), nth=None)

    answer = await client.delete(f"/api/uploads/{upload_id}")
    row = await row_of(stores.pool, upload_id)
    tried = s3.count(ABORT)
    s3.heal()
    await end_lease(stores, upload_id)
    taken = await take_over_uploads(stores)

    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert (row.phase, taken) == (Phase.ASSEMBLING, 1)
    assert tried == len(pauses)
    after = await row_of(stores.pool, upload_id)
    assert (after.phase, after.reason) == (Phase.FAILED, Reason.ABORTED)


async def test_an_abort_while_s3_still_completes_waits_and_keeps_the_object(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """The completion's answer was lost, S3 commits later: the abort finds the object and tells."""
    upload_id = await send_all(client, s3_http, [BODY])
    arrives = threading.Event()
    s3.harm(COMPLETE, harms.held(arrives))

    completed = await complete(client, upload_id)
    early = await client.delete(f"/api/uploads/{upload_id}")
    arrives.set()
    await asyncio.to_thread(s3.settle)
    await end_lease(stores, upload_id)
    late = await client.delete(f"/api/uploads/{upload_id}")

    assert (completed.status_code, early.status_code) == (202, 202)
    assert (late.status_code, late.json()["phase"]) == (409, "COMPLETED")
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_the_loser_of_a_race_for_the_multipart_is_told_of_success(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """Its own multipart cannot be aborted now: the sweep does it, and the upload has the other."""
    upload_id = await open_upload(client, len(BODY))
    first = await row_of(stores.pool, upload_id)
    s3.harm(COMPLETE, harms.error(409, "ConditionalRequestConflict"))
    await send(client, s3_http, upload_id, {0: BODY})
    assert (await complete(client, upload_id)).status_code == 409
    created = s3.count(CREATE)
    arrives = threading.Event()
    s3.harm(CREATE, harms.held(arrives))
    s3.harm(ABORT, harms.error(403, "AccessDenied"), nth=None)

    slow = asyncio.create_task(send(client, s3_http, upload_id, {0: BODY}))
    await asyncio.to_thread(s3.await_count, CREATE, created + 1)
    await send(client, s3_http, upload_id, {0: BODY})
    winner = await row_of(stores.pool, upload_id)
    arrives.set()
    await slow

    assert (winner.generation, s3.count(CREATE)) == (2, created + 2)
    assert winner.multipart_id not in {None, first.multipart_id}
    assert (await complete(client, upload_id)).status_code == 200
    await check_completed_once(client, stores, s3, upload_id, BODY)
