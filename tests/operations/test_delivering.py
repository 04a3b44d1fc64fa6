"""Events reach their sinks at least once, by one id, whatever the sink and the worker do."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from coordinator.adapters import events, jobs
from coordinator.adapters.postgres import transaction
from coordinator.adapters.sinks import Outlet, open_outlet
from coordinator.adapters.sinks.sending import Send
from coordinator.adapters.stores import Stores
from coordinator.adapters.traced_pool import TracedConnection
from coordinator.domain import ids
from coordinator.domain.deliveries import MAX_ATTEMPTS, Fault, Outcome, State
from coordinator.domain.errors import DeliveryNotDeadError, DeliveryNotFoundError
from coordinator.domain.events import Event, Recorded, upload_completed, upload_failed
from coordinator.domain.jobs import State as JobState
from coordinator.domain.sinks import NO_SINKS
from coordinator.operations.deliver_event import deliver_due
from coordinator.operations.retry_delivery import retry_delivery
from coordinator.operations.tell_jobs import tell_jobs
from coordinator.worker.deliveries import deliver_events
from tests.adapters.sinks.receiver import SECRET, Receiver, receiving
from tests.builders import add_upload, complete, open_upload, rows, send_all, uuid_of

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_TIME_PASSES: Final = """
UPDATE deliveries SET next_at = now() - interval '1 ms' WHERE state = 'waiting' RETURNING sink
"""
_STATES: Final = "SELECT sink, state, attempt, last_error FROM deliveries ORDER BY sink"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """The receiver behind the sink `hook`."""
    async with receiving() as running:
        yield running


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    """The receiver behind the sink `other`."""
    async with receiving() as running:
        yield running


@pytest.fixture
def environ(environ: dict[str, str], receiver: Receiver, other: Receiver) -> dict[str, str]:
    """Settings with two sinks, one of which wants to hear of completed uploads only."""
    both = {"kind": "http", "secret": SECRET, "allowPrivate": True}
    sinks = [
        both | {"name": "hook", "url": receiver.url},
        both | {"name": "other", "url": other.url, "types": ["upload.completed"]},
    ]
    return environ | {"COORDINATOR_EVENT_SINKS": json.dumps(sinks)}


@pytest.fixture
async def outlet(stores: Stores) -> AsyncIterator[Outlet]:
    """The sink `hook`, opened."""
    async with open_outlet(stores.sinks.all[0]) as opened:
        yield opened


async def _fact(stores: Stores) -> Event:
    """Let an upload have failed, and write that down."""
    event = upload_failed(await add_upload(stores.pool), reason="aborted")
    async with transaction(stores.pool) as tx:
        await events.add(tx, stores.sinks, event)
    return event


async def _states(stores: Stores) -> list[tuple[str, str, int, str | None]]:
    found = await rows(stores.pool, _STATES)
    return [(row["sink"], row["state"], row["attempt"], row["last_error"]) for row in found]


async def test_a_completed_upload_is_told_to_all_who_want_to_hear(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    receiver: Receiver,
    other: Receiver,
) -> None:
    """With what the answer to the client says, too."""
    upload_id = await send_all(client, s3_http, [b"abc"], metadata={"purpose": "archive"})
    answer = (await complete(client, upload_id)).json()
    for sink in stores.sinks.all:
        async with open_outlet(sink) as opened:
            assert await deliver_due(stores, opened) == 1
            assert await deliver_due(stores, opened) == 0

    assert list(receiver.accepted) == list(other.accepted) == receiver.ids
    [event] = receiver.accepted.values()
    assert event.get_type() == "coordinator.upload.completed"
    assert event.get_source() == "/upload-coordinator"
    assert event.get_subject() == upload_id
    data = event.get_data()
    assert data["root"] == answer["manifest"]["root"]
    assert data["object"] == f"s3://{stores.bucket.name}/{answer['filePath']}"
    assert (data["uploadId"], data["userId"], data["size"]) == (upload_id, "alice", 3)
    assert await _states(stores) == [
        ("hook", "delivered", 1, None),
        ("other", "delivered", 1, None),
    ]


async def test_an_aborted_upload_is_told_to_those_alone_who_want_that(
    client: httpx.AsyncClient, stores: Stores, outlet: Outlet, receiver: Receiver
) -> None:
    """The other sink has no row of it."""
    upload_id = await open_upload(client, 3)
    assert (await client.delete(f"/api/uploads/{upload_id}")).status_code == 204
    await deliver_due(stores, outlet)

    [event] = receiver.accepted.values()
    assert (event.get_type(), event.get_data()["reason"]) == (
        "coordinator.upload.failed",
        "aborted",
    )
    assert await _states(stores) == [("hook", "delivered", 1, None)]


async def test_the_end_of_a_job_is_told_as_it_is_now(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    outlet: Outlet,
    receiver: Receiver,
) -> None:
    """Of those that have ended; one that waits is nothing to tell."""
    upload_id = await send_all(client, s3_http, [b"a\n1\n"], fileName="a.csv", fileType="text/csv")
    assert (await complete(client, upload_id)).status_code == 200
    [row] = await rows(stores.pool, "SELECT id FROM jobs")
    for code in ("broken", None):
        async with transaction(stores.pool) as tx:
            await tell_jobs(tx, stores, uuid_of(upload_id), [row["id"]])
            job = await jobs.start(tx, row["id"])
            assert job is not None
            if code:
                await jobs.fail(tx, job, code, to=JobState.FAILED)
            else:
                await jobs.succeed(tx, job, {"status": "done", "rows": 1, "columns": ["a"]})
            await tell_jobs(tx, stores, uuid_of(upload_id), [row["id"]])
            await jobs.reopen(tx, row["id"])
    await deliver_due(stores, outlet)

    _completed, *ended = sorted(receiver.accepted.values(), key=lambda each: each.get_time())
    public = ids.encode(ids.JOB, row["id"])
    both = {"id": public, "kind": "generate_metadata"}
    assert [(each.get_type(), each.get_data()["job"]) for each in ended] == [
        (
            "coordinator.job.failed",
            both | {"status": "failed", "attempt": 1, "errorCode": "broken"},
        ),
        (
            "coordinator.job.succeeded",
            both
            | {"status": "succeeded", "attempt": 2}
            | {"result": {"status": "done", "rows": 1}},
        ),
    ]


async def test_an_event_costs_one_statement_and_without_sinks_none(stores: Stores) -> None:
    """However many sinks want however many of them."""
    upload = await add_upload(stores.pool)
    told = [upload_completed(upload, root="r", sha256=None), upload_failed(upload, reason="x")]
    counts = []
    nobody = stores._replace(sinks=NO_SINKS)
    for each in (nobody, stores):
        async with transaction(each.pool) as tx:
            assert isinstance(tx, TracedConnection)
            tx.noted = []
            await events.add(tx, each.sinks, *told)
            counts.append(len(tx.noted))
            tx.noted = None
        counts.append((await rows(stores.pool, "SELECT count(*) AS n FROM events"))[0]["n"])

    assert counts == [0, 0, 1, 2]
    assert len(await _states(stores)) == 3


async def test_a_fact_that_is_written_twice_is_sent_once_and_one_rolled_back_never(
    stores: Stores, outlet: Outlet, receiver: Receiver
) -> None:
    """Events are true, or not there."""
    event = await _fact(stores)
    upload = await add_upload(stores.pool)
    async with stores.pool.connection() as conn, conn.transaction(force_rollback=True):
        await events.add(conn, stores.sinks, upload_failed(upload, reason="expired"))
    async with transaction(stores.pool) as tx:
        await events.add(tx, stores.sinks, event)
    await deliver_due(stores, outlet)

    assert [each.get_subject() for each in receiver.accepted.values()] == [event.data.upload_id]
    assert len(receiver.ids) == 1


async def test_a_sink_that_fails_is_tried_again_later_by_the_same_id(
    stores: Stores, outlet: Outlet, receiver: Receiver
) -> None:
    """Not before its pause is over."""
    await _fact(stores)
    receiver.moods = [503, "reset", 200]
    seen = []
    for _ in range(3):
        await deliver_due(stores, outlet)
        assert await deliver_due(stores, outlet) == 0
        seen += await _states(stores)
        await rows(stores.pool, _TIME_PASSES)

    assert seen == [
        ("hook", "waiting", 1, "http-503"),
        ("hook", "waiting", 2, "connection-lost"),
        ("hook", "delivered", 3, None),
    ]
    assert len(receiver.ids) == 3
    assert len(receiver.accepted) == 1


async def test_what_is_given_up_can_be_tried_again_by_an_operator(
    stores: Stores, outlet: Outlet, receiver: Receiver
) -> None:
    """With all attempts of a new one; only what is dead."""
    event = await _fact(stores)
    used_up = f"UPDATE deliveries SET attempt = {MAX_ATTEMPTS - 1} RETURNING sink"
    await rows(stores.pool, used_up)
    receiver.moods = [500, 500]
    where: dict[str, Any] = {"tenant": "default", "actor": "ck_1"}
    with pytest.raises(DeliveryNotDeadError):
        await retry_delivery(stores, event.id, "hook", **where)
    await deliver_due(stores, outlet)
    dead = await _states(stores)
    with pytest.raises(DeliveryNotFoundError):
        await retry_delivery(stores, event.id, "hook", **where | {"tenant": "another"})

    revived = await retry_delivery(stores, event.id, "hook", **where)
    await deliver_due(stores, outlet)
    waiting = await _states(stores)
    await rows(stores.pool, _TIME_PASSES)
    await deliver_due(stores, outlet)

    assert dead == [("hook", "dead", MAX_ATTEMPTS, "http-500")]
    assert (revived.state, revived.attempt) == (State.WAITING, MAX_ATTEMPTS)
    assert waiting == [("hook", "waiting", MAX_ATTEMPTS + 1, "http-500")]
    assert await _states(stores) == [("hook", "delivered", MAX_ATTEMPTS + 2, None)]
    audited = "SELECT actor, facts FROM audit WHERE action = 'delivery.retried'"
    assert await rows(stores.pool, audited) == [
        {"actor": "ck_1", "facts": {"event": "upload.failed", "sink": "hook"}}
    ]


async def test_a_receiver_that_wants_no_more_is_asked_no_more(
    stores: Stores, outlet: Outlet, receiver: Receiver
) -> None:
    """410 Gone, as Standard Webhooks has it."""
    await _fact(stores)
    receiver.mood = 410
    await deliver_due(stores, outlet)

    assert await _states(stores) == [("hook", "dead", 1, "http-410")]


async def test_an_attempt_that_was_taken_for_dead_cannot_write(stores: Stores) -> None:
    """It slept through its lease: what the next one finds stands."""
    await _fact(stores)
    async with stores.pool.connection() as conn:
        [slept] = await events.claim(conn, "hook", limit=8)
        nothing = await events.claim(conn, "hook", limit=8)
    await rows(stores.pool, _TIME_PASSES)
    async with stores.pool.connection() as conn:
        [awake] = await events.claim(conn, "hook", limit=8)
        late = await events.settle(conn, slept, Outcome(state=State.DEAD, error="x"))
        right = await events.settle(conn, awake, Outcome(state=State.DELIVERED))
        again = await events.settle(conn, awake, Outcome(state=State.DEAD, error="x"))

    assert nothing == []
    assert (slept.attempt, awake.attempt) == (1, 2)
    assert (late, right, again) == (False, True, False)
    assert await _states(stores) == [("hook", "delivered", 2, None)]


async def test_two_workers_never_send_the_same_at_once(
    stores: Stores, receiver: Receiver, outlet: Outlet
) -> None:
    """What one has begun, the other does not see."""
    for _ in range(20):
        await _fact(stores)
    async with open_outlet(stores.sinks.all[0]) as second:
        while sum(await asyncio.gather(*(deliver_due(stores, each) for each in (outlet, second)))):
            continue

    assert len(receiver.ids) == len(receiver.accepted) == 20
    assert {state[1:] for state in await _states(stores)} == {("delivered", 1, None)}


async def test_a_sink_that_hangs_keeps_no_other_waiting(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    receiver: Receiver,
    other: Receiver,
) -> None:
    """More events than it could be sent at once, and the other sink hears of all of them."""
    receiver.mood = "hang"
    for name in range(10):
        upload_id = await send_all(client, s3_http, [b"abc"], fileName=f"{name}.txt")
        assert (await complete(client, upload_id)).status_code == 200
    stopping = asyncio.Event()
    running = asyncio.create_task(deliver_events(stores, stopping))
    try:
        async with asyncio.timeout(10):
            while len(other.accepted) < 10:
                other.changed.clear()
                await other.changed.wait()
        assert receiver.accepted == {}
        assert 0 < len(receiver.ids) <= 8
    finally:
        stopping.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_that_is_told_to_stop_finishes_what_it_is_sending(
    stores: Stores, receiver: Receiver
) -> None:
    """And begins nothing new."""
    await _fact(stores)
    stopping = asyncio.Event()
    running = asyncio.create_task(deliver_events(stores, stopping))
    async with asyncio.timeout(10):
        while not receiver.ids:
            receiver.changed.clear()
            await receiver.changed.wait()
    stopping.set()
    await asyncio.wait_for(running, 10)
    await _fact(stores)

    assert sorted(state[1] for state in await _states(stores)) == ["delivered", "waiting"]


async def test_whatever_a_sinks_library_raises_is_a_fault_by_its_name(
    stores: Stores, outlet: Outlet
) -> None:
    """What it says may have an address or a password in it."""

    def failing(exc: Exception) -> Send:
        async def send(_event: Recorded) -> Fault | None:
            raise exc

        return send

    await _fact(stores)
    broken = Outlet(outlet.sink, failing(LookupError("https://user:password@host/")))
    await deliver_due(stores, broken)

    assert await _states(stores) == [("hook", "waiting", 1, "unexpected-LookupError")]


async def test_the_oldest_that_waits_is_measured(stores: Stores) -> None:
    """By the sink; one that is not in settings any more does not count."""
    await _fact(stores)
    older = "UPDATE events SET created_at = created_at - interval '1 hour' RETURNING id"
    await rows(stores.pool, older)
    async with stores.pool.connection() as conn:
        ages = await events.ages(conn, ["hook", "other"])
        nobody = await events.ages(conn, [])

    assert list(ages) == ["hook"]
    assert timedelta(hours=1) <= timedelta(seconds=ages["hook"]) < timedelta(hours=2)
    assert nobody == {}
