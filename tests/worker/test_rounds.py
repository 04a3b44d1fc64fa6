"""What workers do now and then: each duty by one of them, and none stands in another's way."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, LiteralString

import pytest

from coordinator.adapters import duties
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.names import marker_key
from coordinator.domain.phases import Reason
from coordinator.settings import Settings
from coordinator.worker import rounds
from coordinator.worker import run as worker
from coordinator.worker.rounds import Duty, go_round
from tests.builders import add_upload, row_of, rows, until_waiting

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_HOUR = timedelta(hours=1)
_DUE = "UPDATE duties SET due_at = clock_timestamp() RETURNING name"


def _counting(done: Counter[str], name: str) -> Callable[[], Awaitable[Any]]:
    async def work() -> None:
        done[name] += 1

    return work


async def _until(stores: Stores, query: LiteralString) -> None:
    """Return once ``query`` finds a row."""
    loop = f"DO $$ BEGIN WHILE NOT EXISTS ({query}) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$"
    async with stores.pool.connection() as conn, asyncio.timeout(20):
        await conn.execute(loop)


async def _one_round(stores: Stores, *work: Duty) -> None:
    """Go round once: the last duty says stop."""
    stopping = asyncio.Event()

    async def stop() -> None:
        stopping.set()

    await go_round(stores, [*work, Duty("stop", stop)], stopping)


async def test_of_many_workers_one_does_it_when_it_is_due(stores: Stores) -> None:
    """What every worker does in every round stays every worker's."""
    done: Counter[str] = Counter()
    work = [
        Duty("hourly", _counting(done, "hourly"), every=_HOUR),
        Duty("always", _counting(done, "always")),
    ]

    for _ in range(2):
        await asyncio.gather(*(_one_round(stores, *work) for _ in range(4)))
    early = dict(done)
    await rows(stores.pool, _DUE)
    await asyncio.gather(*(_one_round(stores, *work) for _ in range(4)))

    assert early == {"hourly": 1, "always": 8}
    assert done == {"hourly": 2, "always": 12}


async def test_a_claim_that_waited_for_another_hears_no(stores: Stores) -> None:
    """Deciding on the date as it was before the wait would do the duty twice."""
    async with stores.pool.connection() as conn:
        await duties.claim(conn, "hourly", every=_HOUR)
        await conn.execute("UPDATE duties SET due_at = clock_timestamp()")
    async with stores.pool.connection() as waiter:
        async with transaction(stores.pool) as holder:
            first = await duties.claim(holder, "hourly", every=_HOUR)
            asked = asyncio.create_task(duties.claim(waiter, "hourly", every=_HOUR))
            await until_waiting(stores.pool, waiter)
        second = await asked

    assert (first, second) == (True, False)


async def test_a_duty_that_fails_keeps_no_other_from_being_done(stores: Stores) -> None:
    """Nor does it end the loop: it is tried again when it is due."""
    done: Counter[str] = Counter()

    async def fail() -> None:
        done["failing"] += 1
        raise RuntimeError("broken")

    work = [Duty("failing", fail, every=_HOUR), Duty("next", _counting(done, "next"))]

    await _one_round(stores, *work)
    await rows(stores.pool, _DUE)
    await _one_round(stores, *work)

    assert done == {"failing": 2, "next": 2}


async def test_the_one_at_hand_is_finished_and_no_other_begun(stores: Stores) -> None:
    """SIGTERM comes at any moment."""
    stopping, begun, may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()
    done: Counter[str] = Counter()

    async def slow() -> None:
        begun.set()
        await may_end.wait()
        done["slow"] += 1

    work = [Duty("slow", slow), Duty("next", _counting(done, "next"))]
    going = asyncio.create_task(go_round(stores, work, stopping))
    await begun.wait()
    stopping.set()
    may_end.set()
    await asyncio.wait_for(going, 5)

    assert done == {"slow": 1}


async def test_a_loop_that_waits_for_the_next_round_ends_at_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it does come round again until then."""
    monkeypatch.setattr(rounds, "ROUND_SECONDS", 0.01)
    stopping, thrice = asyncio.Event(), asyncio.Event()
    done: Counter[str] = Counter()

    async def count() -> None:
        done["count"] += 1
        if done["count"] == 3:
            monkeypatch.setattr(rounds, "ROUND_SECONDS", 3_600.0)
            thrice.set()

    going = asyncio.create_task(go_round(stores, [Duty("count", count)], stopping))
    await thrice.wait()
    stopping.set()
    await asyncio.wait_for(going, 5)

    assert done == {"count": 3}


async def test_a_worker_expires_and_sweeps(stores: Stores, settings: Settings) -> None:
    """In its first round: a worker that is started often must not put them off for ever."""
    app, stopping = worker._app(stores, settings), asyncio.Event()
    upload = await add_upload(stores.pool, bucket=settings.s3_bucket, lifetime=-_HOUR)
    orphan = await stores.bucket.create_multipart(
        f"{settings.s3_prefix}/default/u/x", token="t", file_type="text/plain"
    )
    async with app.open_async():
        going = asyncio.create_task(worker._go_round(stores, app, settings.s3_prefix, stopping))
        await _until(stores, "SELECT FROM uploads WHERE phase = 'FAILED'")
        await _until(stores, "SELECT FROM duties WHERE name = 'sweep'")
        stopping.set()
        await asyncio.wait_for(going, 20)

    assert (await row_of(stores.pool, upload.id)).reason == Reason.EXPIRED
    assert await stores.bucket.facts(marker_key(settings.s3_prefix)) is not None
    pages = stores.bucket.list_multiparts(f"{settings.s3_prefix}/")
    assert [each.multipart_id async for page in pages for each in page] == [orphan]
