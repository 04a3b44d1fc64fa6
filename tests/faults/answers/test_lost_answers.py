"""CompleteMultipartUpload's answer is lost, or lies: what is COMPLETED is proven, and once."""

import asyncio
import threading
import time

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from coordinator.operations.take_over_uploads import take_over_uploads
from tests.builders import complete, row_of, send, send_all, status
from tests.faults import harms
from tests.faults.answers.proving import (
    BODY,
    NEVER,
    await_lease_end,
    check_completed_once,
    end_lease,
    written,
)
from tests.faults.hostile_s3 import COMPLETE, HEAD, PUT, HostileS3
from tests.operations.decoys import assemble_decoy
from tests.operations.dying import abort_in_s3

_COMMITTED = {
    "reset": harms.reset(commit=True),
    "broken off": harms.broken_off(commit=True),
    "silence": harms.silence(commit=True),
    "drip past the deadline": harms.drip(1.5, commit_first=True),
    "whitespace, then success": harms.drip(0, commit_first=True),
    "drip within XML": harms.drip(0.3, commit_first=False, before_xml=False),
    "InternalError": harms.error(500, "InternalError", commit=True),
    "200 with an error": harms.error_in_200("InternalError", commit=True),
    "200, whitespace, error": harms.error_in_200("InternalError", space=b"  \n ", commit=True),
    "NoSuchUpload": harms.error(404, "NoSuchUpload", commit=True),
    "NoSuchUpload in 200": harms.error_in_200("NoSuchUpload", commit=True),
    "412": harms.error(412, "PreconditionFailed", commit=True),
    "409": harms.error(409, "ConditionalRequestConflict", commit=True),
}
_NOT_COMMITTED = {
    "reset": harms.reset(commit=False),
    "broken off": harms.broken_off(commit=False),
    "silence": harms.silence(commit=False),
    "InternalError": harms.error(500, "InternalError"),
    "200 with an error": harms.error_in_200("InternalError"),
    "200, whitespace, error": harms.error_in_200("InternalError", space=b"  \n "),
    "success that is none": harms.forgotten(200),
}


async def test_an_object_that_s3_made_is_proven_in_the_same_request(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """S3 has committed and says otherwise, or nothing: HeadObject shows token, size and root."""
    outcomes = {}
    for name, lie in _COMMITTED.items():
        upload_id = await send_all(client, s3_http, [BODY])
        sent = s3.count(COMPLETE)
        s3.harm(COMPLETE, lie, nth=None)

        answer = await complete(client, upload_id)

        outcomes[name] = (answer.status_code, s3.count(COMPLETE) - sent)
        assert answer.status_code == 200, (name, answer.text)
        await check_completed_once(client, stores, s3, upload_id, BODY)

    assert outcomes == dict.fromkeys(_COMMITTED, (200, 1))


async def test_what_is_not_proven_waits_for_whoever_takes_over(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """S3 may still commit: 202, nothing more is sent in this lease, which covers S3's deadline."""
    for name, lie in _NOT_COMMITTED.items():
        upload_id = await send_all(client, s3_http, [BODY])
        sent = s3.count(COMPLETE)
        s3.harm(COMPLETE, lie)

        answers = [await complete(client, upload_id) for _ in range(2)]
        early = await take_over_uploads(stores)
        between = (await status(client, upload_id))["status"], await written(stores, upload_id)
        assert ([each.status_code for each in answers], early) == ([202, 202], 0), name
        assert (between, s3.count(COMPLETE) - sent) == (("ASSEMBLING", NEVER), 1), name
        await end_lease(stores, upload_id)
        taken = await take_over_uploads(stores)

        assert (taken, s3.count(COMPLETE) - sent) == (1, 2), name
        await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_slow_completion_is_202_in_time_and_is_finished_without_a_second_one(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """S3 drips past its deadline and commits when nobody listens; real time, real leases."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(COMPLETE, harms.drip(2.0, commit_first=False))
    began = time.monotonic()

    answer = await complete(client, upload_id)
    waited = time.monotonic() - began
    row = await row_of(stores.pool, upload_id)
    early = await take_over_uploads(stores)
    await await_lease_end(stores, upload_id)
    taken = await take_over_uploads(stores)

    assert row.lease_until is not None
    assert (answer.status_code, answer.json()["status"]) == (202, "assembling")
    assert 1.0 <= waited < 2.0
    # Sent at 0 s or later, given up at 1 s: whoever takes over waits for lease and deadline.
    remaining = (row.lease_until - row.as_of).total_seconds()
    assert 4.0 - waited - 0.5 < remaining <= 3.0
    assert (early, taken, s3.count(COMPLETE)) == (0, 1, 1)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_request_that_arrives_after_the_takeover_changes_nothing(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """The network kept it longer than lease and deadline; S3 gets both, one after the other."""
    upload_id = await send_all(client, s3_http, [BODY])
    arrives = threading.Event()
    s3.harm(COMPLETE, harms.held(arrives))

    answer = await complete(client, upload_id)
    await end_lease(stores, upload_id)
    taken = await take_over_uploads(stores)
    before = await written(stores, upload_id)
    arrives.set()
    await asyncio.to_thread(s3.settle)

    reached = [each.reached for each in s3.seen if each.operation == COMPLETE]
    assert (answer.status_code, taken, reached) == (202, 1, [True, True])
    assert before == await written(stores, upload_id)
    await check_completed_once(client, stores, s3, upload_id, BODY)


@pytest.mark.parametrize("answers_412", [False, True])
async def test_an_older_object_at_the_key_is_neither_taken_nor_touched(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    *,
    answers_412: bool,
) -> None:
    """NoSuchUpload with an object at the key looks like success after a lost answer."""
    upload_id = await send_all(client, s3_http, [BODY])
    row = await row_of(stores.pool, upload_id)
    decoy = await assemble_decoy(stores, row, BODY, "token")
    if not answers_412:
        s3.harm(COMPLETE, harms.error(404, "NoSuchUpload"))

    first = await complete(client, upload_id)
    if not answers_412:
        assert first.json()["missingChunks"] == [0]
        await send(client, s3_http, upload_id, {0: BODY})
    second = await complete(client, upload_id)

    code = "key-taken" if answers_412 else "parts-missing"
    assert (first.status_code, first.json()["code"]) == (409, code)
    assert (second.status_code, second.json()["code"]) == (409, "key-taken")
    assert (await stores.bucket.facts(row.object_key), await written(stores, upload_id)) == (
        decoy,
        NEVER,
    )
    await stores.bucket.delete(row.object_key)
    answer = await complete(client, upload_id)
    if answer.status_code == 409:
        # LocalStack, as AWS: an object went since this multipart began, so the parts are wanted.
        await send(client, s3_http, upload_id, {0: BODY})
        answer = await complete(client, upload_id)
    assert answer.status_code == 200
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_lost_answer_with_somebody_elses_object_at_the_key_is_not_ours(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """S3 refused for the object that is there, and we never heard it."""
    upload_id = await send_all(client, s3_http, [BODY])
    row = await row_of(stores.pool, upload_id)
    decoy = await assemble_decoy(stores, row, BODY, "token")
    s3.harm(COMPLETE, harms.reset(commit=True))

    refused = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (409, "key-taken")
    assert await stores.bucket.facts(row.object_key) == decoy
    await stores.bucket.delete(row.object_key)
    assert (await complete(client, upload_id)).status_code == 200
    await check_completed_once(client, stores, s3, upload_id, BODY)


@pytest.mark.parametrize("operation", [HEAD, PUT])
async def test_what_fails_after_s3_has_committed_is_done_by_whoever_takes_over(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    operation: str,
) -> None:
    """No proof, or no manifest beside the object: not COMPLETED yet, and no second completion."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(COMPLETE, harms.reset(commit=True))
    s3.harm(operation, harms.error(403, "AccessDenied"))

    first = await complete(client, upload_id)
    row, before = await row_of(stores.pool, upload_id), await written(stores, upload_id)
    await end_lease(stores, upload_id)
    taken = await take_over_uploads(stores)

    assert first.status_code == (202 if operation == HEAD else 502)
    assert (row.phase, before) == (Phase.ASSEMBLING, NEVER)
    assert (taken, s3.count(COMPLETE)) == (1, 1)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_multipart_that_is_gone_without_an_object_is_opened_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """The answer was lost, and before the takeover the bucket's rule swept the multipart."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(COMPLETE, harms.reset(commit=False))

    first = await complete(client, upload_id)
    await abort_in_s3(stores, upload_id)
    await end_lease(stores, upload_id)
    second = await complete(client, upload_id)
    await send(client, s3_http, upload_id, {0: BODY})
    third = await complete(client, upload_id)

    assert [each.status_code for each in (first, second, third)] == [202, 409, 200]
    assert second.json()["missingChunks"] == [0]
    await check_completed_once(client, stores, s3, upload_id, BODY)
