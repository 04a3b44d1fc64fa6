"""``GET /api/uploads/{uploadId}/events``: nothing is lost, nothing comes twice, nothing leaks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar
from redis.asyncio import Redis

from coordinator.adapters import clock, jobs, keys
from coordinator.adapters.ledger import channel
from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.domain.errors import UnavailableError
from coordinator.domain.ids import UPLOAD, decode
from coordinator.domain.keys import id_of
from coordinator.embedded import Addresses
from coordinator.settings import Settings
from coordinator.telemetry import REGISTRY
from coordinator.web import events as events_module
from coordinator.worker.run_job import run_job
from tests.conftest import MakeKey
from tests.localstack import S3Address
from tests.web.driving import CHUNK, JOB_ID, NO_UPLOAD, complete, opened, problem, sent, signed
from tests.web.listening import Event, Service, served

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_LINES = b'{"text": "a line"}\n' * 3
_NO_JOBS = {"status": "none", "jobs": []}


@pytest.fixture(scope="module")
def settings(settings: Settings, servers: Addresses, worker_id: str) -> Settings:
    """A Valkey database of the module's own, to be flushed."""
    number = 8 + int(worker_id.removeprefix("gw") if worker_id.startswith("gw") else 0) % 8
    return msgspec.structs.replace(settings, redis_url=f"{servers.redis_url.rstrip('/')}/{number}")


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """The module's Valkey database."""
    async with Redis.from_url(settings.redis_url) as opened_redis:
        yield opened_redis


@pytest.fixture
async def key(make_key: MakeKey) -> str:
    """A key of alice's."""
    return await make_key()


@pytest.fixture
async def service(app: Litestar, key: str) -> AsyncIterator[Service]:
    """The module's service on a port."""
    async with served(app, key) as opened_service:
        yield opened_service


def _id(upload_id: str) -> UUID:
    found = decode(UPLOAD, upload_id)
    assert found is not None
    return found


async def _report(http: httpx.AsyncClient, upload_id: str, *indexes: int) -> None:
    chunks = [{"chunkIndex": index} for index in indexes]
    answer = await http.post("/api/upload/chunk", json={"uploadId": upload_id, "chunks": chunks})
    assert answer.status_code == 200, answer.text


async def _run_jobs(stores: Stores, settings: Settings, upload_id: str) -> None:
    async with stores.pool.connection() as conn:
        found = await jobs.of_upload(conn, _id(upload_id))
    for job in found:
        await run_job(stores, settings, job.id)


def _progress(uploaded: int, total: int, percentage: float) -> dict[str, Any]:
    return {"uploaded": uploaded, "total": total, "percentage": percentage}


def _phase(status: str, reason: str | None = None) -> dict[str, Any]:
    return {"status": status, "reason": reason, "generation": 1}


def _jobs(status: str, state: str) -> dict[str, Any]:
    job = {"jobId": JOB_ID, "kind": "generate_metadata", "status": state}
    return {"status": status, "jobs": [job]}


async def test_an_upload_is_followed_from_init_to_the_end_of_its_jobs(
    service: Service, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """What is so now comes first, then each change, and after the last one the end."""
    http = service.http
    upload_id = await opened(http, len(_LINES))
    async with service.reading(upload_id) as reader:
        first = list(await reader.seen("jobs"))
        await sent(http, s3_http, upload_id, {0: _LINES})
        await reader.seen("phase", status="UPLOADING")
        await _report(http, upload_id, 0)
        await reader.seen("progress", uploaded=1)
        assert (await complete(http, upload_id)).status_code == 200
        await reader.seen("jobs", status="initiated")
        await _run_jobs(stores, settings, upload_id)
        whole = await reader.ended()
        headers = reader.answer.headers

    assert [(event.kind, event.data) for event in first] == [
        ("progress", _progress(0, 1, 0.0)),
        ("phase", _phase("INIT")),
        ("jobs", _NO_JOBS),
    ]
    assert reader.all("progress") == [_progress(0, 1, 0.0), _progress(1, 1, 100.0)]
    phases = [phase["status"] for phase in reader.all("phase")]
    assert [each for each in phases if each != "ASSEMBLING"] == ["INIT", "UPLOADING", "COMPLETED"]
    told = [each for each in reader.all("jobs") if each["status"] != "running"]
    assert told == [_NO_JOBS, _jobs("initiated", "queued"), _jobs("succeeded", "succeeded")]
    assert (headers["content-type"], headers["cache-control"], headers["x-accel-buffering"]) == (
        *("text/event-stream; charset=utf-8", "no-store", "no"),
    )
    assert "content-length" not in headers

    over = await service.ask(upload_id, whole[-1].id)
    async with service.reading(upload_id) as again:
        last = await again.ended()
    assert (over.status_code, over.content) == (204, b"")
    assert [(event.kind, event.data) for event in last] == [
        ("progress", _progress(1, 1, 100.0)),
        ("phase", _phase("COMPLETED")),
        ("jobs", _jobs("succeeded", "succeeded")),
    ]


async def test_a_reconnect_gets_what_changed_since_and_nothing_twice(service: Service) -> None:
    """Wherever the connection broke: the id tells what its reader has seen of each kind."""
    http = service.http
    upload_id = await opened(http, 3 * CHUNK)
    await signed(http, upload_id, {0: b"x" * CHUNK})
    async with service.reading(upload_id) as reader:
        first = list(await reader.seen("jobs"))
        await _report(http, upload_id, 0)
        broken = (await reader.seen("progress", uploaded=1))[-1]
    await _report(http, upload_id, 1)

    async with service.reading(upload_id, broken.id) as reader:
        await reader.seen("progress", uploaded=2)
        await _report(http, upload_id, 2)
        after = list(await reader.seen("progress", uploaded=3))
    resumed = {}
    for position, event in enumerate(first):
        async with service.reading(upload_id, event.id) as reader:
            rest = await reader.until(lambda reader: "progress" in _kinds(reader.events))
            await asyncio.sleep(0.05)
            resumed[position] = _kinds(rest)

    assert _kinds(first) == ["progress", "phase", "jobs"]
    assert [event.data["uploaded"] for event in after] == [2, 3]
    # After its first event a reader lacks the others, after its last only what changed.
    assert resumed == {
        0: ["progress", "phase", "jobs"],
        1: ["progress", "jobs"],
        2: ["progress"],
    }


def _kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


@pytest.mark.parametrize("last", ["", "42", "..", "a.b.c.d", "\xe9", "x" * 5_000, "-1; DROP"])
async def test_an_id_that_is_none_of_ours_has_seen_nothing(service: Service, last: str) -> None:
    """A proxy or another library may send anything; that is no error."""
    upload_id = await opened(service.http, 5)

    async with service.reading(upload_id, last) as reader:
        told = _kinds(await reader.seen("jobs"))

    assert told == ["progress", "phase", "jobs"]


async def test_an_id_of_another_upload_has_seen_nothing_of_this_one(service: Service) -> None:
    """Two uploads in the same phase look alike; their ids do not."""
    one, other = await opened(service.http, 5), await opened(service.http, 6)
    async with service.reading(one) as reader:
        last = (await reader.seen("jobs"))[-1].id

    async with service.reading(other, last) as reader:
        told = _kinds(await reader.seen("jobs"))

    assert told == ["progress", "phase", "jobs"]


async def test_a_burst_of_reports_is_a_few_events(service: Service) -> None:
    """Four a second at most: a browser has better to do than to draw each of 10,000 chunks."""
    upload_id = await opened(service.http, 40 * CHUNK)
    async with service.reading(upload_id) as reader:
        await reader.seen("jobs")
        started = clock.elapsed()
        for index in range(40):
            await _report(service.http, upload_id, index)
        await reader.seen("progress", uploaded=40)
        seconds = clock.elapsed() - started

    assert len(reader.all("progress")) <= 3 + seconds * 4


async def test_a_flushed_redis_and_a_killed_connection_lose_no_phase(
    service: Service, s3_http: httpx.AsyncClient, redis: Redis, stores: Stores, settings: Settings
) -> None:
    """Redis only says when to look; what there is to see lies in Postgres."""
    http = service.http
    upload_id = await opened(http, len(_LINES))
    await sent(http, s3_http, upload_id, {0: _LINES})
    await _report(http, upload_id, 0)
    async with service.reading(upload_id) as reader:
        await reader.seen("progress", uploaded=1)
        await redis.flushdb()
        for each in await redis.client_list():
            if each["name"] == "coordinator-events" and each["db"] == _database(settings):
                await redis.client_kill_filter(_id=each["id"])
        assert (await complete(http, upload_id)).status_code == 200
        await reader.seen("jobs", status="initiated", seconds=5.0)
        await _run_jobs(stores, settings, upload_id)
        await reader.ended(seconds=5.0)

    assert reader.all("progress") == [_progress(1, 1, 100.0)]
    assert reader.all("phase")[-1] == _phase("COMPLETED")
    assert reader.all("jobs")[-1] == _jobs("succeeded", "succeeded")


def _database(settings: Settings) -> str:
    return settings.redis_url.rpartition("/")[2]


async def test_without_redis_s3_tells_the_progress_and_postgres_the_rest(
    settings: Settings,
    s3_server: S3Address,
    key: str,
    s3_http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As long as it is away a change is seen within two seconds or so."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3_server.s3_region)
    app = create_app(msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1/0"))
    async with app.lifespan(), served(app, key) as service:
        http = service.http
        upload_id = await opened(http, 2 * CHUNK)
        await sent(http, s3_http, upload_id, {1: b"x" * CHUNK})
        async with service.reading(upload_id) as reader:
            await reader.seen("progress", uploaded=1)
            assert (await http.delete(f"/api/uploads/{upload_id}")).status_code == 204
            await reader.ended(seconds=8.0)

    assert reader.all("progress") == [_progress(1, 2, 50.0), _progress(0, 2, 0.0)]
    assert reader.all("phase")[-1] == _phase("FAILED", "aborted")


async def test_a_hundred_readers_share_one_watch_and_hold_no_connection(
    service: Service, redis: Redis, stores: Stores
) -> None:
    """The pool has four connections here, and Redis sees one reader."""
    upload_id = await opened(service.http, 2 * CHUNK)
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(_read_until(service, upload_id)) for _ in range(100)]
        await _until_open(100)
        await asyncio.sleep(0.6)  # the watch has looked, and waits
        idle = stores.pool.get_stats()
        listening: Any = await redis.pubsub_numsub(channel(_id(upload_id)))
        await _report(service.http, upload_id, 0)
    told = [task.result() for task in reading]

    assert idle["pool_available"] == idle["pool_size"]
    assert listening[0][1] == 1
    assert told == [[0, 1]] * 100
    await _until_open(0)


async def _read_until(service: Service, upload_id: str) -> list[int]:
    async with service.reading(upload_id) as reader:
        await reader.seen("progress", uploaded=1)
        return [each["uploaded"] for each in reader.all("progress")]


async def _until_open(count: int) -> None:
    async with asyncio.timeout(10.0):
        while REGISTRY.get_sample_value("event_streams") != count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_a_reader_that_hangs_up_frees_its_place(
    service: Service, app: Litestar, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places are bounded; who comes when all are taken is told to come again."""
    monkeypatch.setattr(app.state.watches, "_most", 1)
    upload_id = await opened(service.http, 5)
    async with service.reading(upload_id) as reader:
        await reader.seen("jobs")
        refused = await service.ask(upload_id)
        open_streams = REGISTRY.get_sample_value("event_streams")
    await _until_open(0)
    async with service.reading(upload_id) as reader:
        again = _kinds(await reader.seen("jobs"))
    await _until_open(0)

    assert (refused.status_code, refused.json()) == (503, problem(UnavailableError))
    assert refused.headers["retry-after"]
    assert (open_streams, again) == (1, ["progress", "phase", "jobs"])
    for _ in range(200):
        listening: Any = await redis.pubsub_numsub(channel(_id(upload_id)))
        if listening[0][1] == 0:
            break
        await asyncio.sleep(0.01)
    assert listening[0][1] == 0


async def test_a_revoked_key_reads_no_further_nor_do_its_tokens(
    service: Service, app: Litestar, stores: Stores, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the five seconds that every other request has, too; until then heartbeats come."""
    monkeypatch.setattr(events_module, "_HEARTBEAT_SECONDS", 1.0)
    upload_id = await opened(service.http, 5)
    token = (await service.http.post(f"/api/uploads/{upload_id}/token")).json()["uploadToken"]
    before = _measured()
    async with (
        service.reading(upload_id) as reader,
        served(app, token) as page,
        page.reading(upload_id) as page_reader,
    ):
        await reader.seen("jobs")
        await page_reader.seen("jobs")
        async with stores.pool.connection() as conn:
            assert await keys.revoke(conn, id_of(key) or "")
        await asyncio.gather(reader.ended(seconds=11.0), page_reader.ended(seconds=11.0))
    refused = await service.ask(upload_id)
    await _until_open(0)

    assert reader.comments == [": nothing new"]
    assert _kinds(reader.events) == ["progress", "phase", "jobs"]
    assert refused.status_code == 401
    # The time to the first byte is measured, and not how long somebody listens.
    assert 0 < _measured() - before < 2.0


def _measured() -> float:
    labels = {
        "method": "GET",
        "route": "/api/uploads/{upload_id}/events",
        "status": "2xx",
    }
    return REGISTRY.get_sample_value("http_request_duration_seconds_sum", labels) or 0.0


async def test_draining_ends_streams_at_once_and_begins_none(
    service: Service, app: Litestar
) -> None:
    """They would hold the process for their ten minutes; their readers go to another one."""
    upload_id = await opened(service.http, 5)
    async with service.reading(upload_id) as reader:
        await reader.seen("jobs")
        app.state.draining.set()
        try:
            await reader.ended(seconds=1.0)
            refused = await service.ask(upload_id)
        finally:
            app.state.draining.clear()

    assert (refused.status_code, refused.json()) == (503, problem(UnavailableError))


async def test_what_is_nobodys_is_refused_before_the_stream_begins(service: Service) -> None:
    """Strangers are in the matrix of all routes; here it is the answer's form that counts."""
    answer = await service.ask(NO_UPLOAD)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
