"""The host's clock may be hours wrong: it decides no life, and signs nothing that S3 refuses."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import time_machine
from litestar import Litestar

from coordinator.adapters import queue
from coordinator.adapters.clock import elapsed
from coordinator.adapters.postgres import transaction
from coordinator.adapters.s3_clock import S3Clock
from coordinator.adapters.stores import Stores, open_stores
from coordinator.cli.keys import create_key
from coordinator.domain.errors import ClockOffError
from coordinator.domain.kinds import Kind
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.take_over_uploads import take_over_uploads
from coordinator.settings import Settings
from tests.builders import ask_urls, complete, put, row_of, rows, send_all, sign, status
from tests.conftest import client_of
from tests.operations.dying import die_sealed

_HOURS = timedelta(hours=2)

both_ways = pytest.mark.parametrize("off", [_HOURS, -_HOURS], ids=["ahead", "behind"])
on_one_server = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@contextmanager
def _clock_off(by: timedelta) -> Iterator[None]:
    """Set the host's clock wrong; it goes on, and the monotonic one knows nothing of it."""
    with time_machine.travel(datetime.now(UTC) + by, tick=True):
        yield


@pytest.fixture
def calls() -> list[str]:
    """What S3 was asked."""
    return []


@pytest.fixture
async def counted(stores: Stores, calls: list[str]) -> AsyncIterator[Stores]:
    """The stores, every call of S3 noted."""

    def note(event_name: str, **_: object) -> None:
        calls.append(event_name.rpartition(".")[2])

    clients: list[Any] = [stores.bucket._s3, stores.bucket._once]
    for client in clients:
        client.meta.events.register("before-send.s3", note)
    yield stores
    for client in clients:
        client.meta.events.unregister("before-send.s3", note)


@both_ways
@on_one_server
async def test_a_wrong_clock_is_a_clear_refusal_and_changes_no_life(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    off: timedelta,
) -> None:
    """Sessions and reports go by Postgres' clock; signing waits until the host's is right."""
    body = {"fileName": "f", "fileSize": 3, "fileType": ""}
    key = {"Idempotency-Key": uuid4().hex}
    upload_id = (await client.post("/api/upload/init", json=body, headers=key)).json()["uploadId"]
    [signed] = await sign(client, upload_id, {0: b"abc"})
    before = await status(client, upload_id)

    with _clock_off(off):
        refused = await ask_urls(client, upload_id, {0: b"abc"}, force=True)
        again = await client.post("/api/upload/init", json=body, headers=key)
        reported = await client.post(
            "/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0}
        )
        during = await status(client, upload_id)
        not_opened = await client.post("/api/upload/init", json=body)
        not_completed = await complete(client, upload_id)
        expired = await expire_uploads(stores)
        after = await status(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (503, "clock-off")
    assert refused.headers["retry-after"]
    assert abs(refused.json()["secondsOff"] - off.total_seconds()) <= 2
    assert "X-Amz" not in refused.text
    assert (again.status_code, again.json()["uploadId"]) == (200, upload_id)
    assert reported.status_code == 200, reported.text
    assert during["expiresAt"] == after["expiresAt"] == before["expiresAt"]
    assert (during["status"], after["status"], expired) == ("UPLOADING", "UPLOADING", 0)
    for answer in (not_opened, not_completed):
        assert (answer.status_code, answer.json()["code"]) == (503, "clock-off"), answer.text
    assert (await put(s3_http, signed, b"abc")).status_code == 200
    assert len(await sign(client, upload_id, {0: b"abc"})) == 1
    completed = await complete(client, upload_id)
    assert (completed.status_code, completed.json()["status"]) == (200, "completed")


@both_ways
@on_one_server
async def test_a_wrong_clock_neither_ends_nor_lengthens_a_lease(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, off: timedelta
) -> None:
    """A live one is left alone, a dead one is taken over, whatever the host believes."""
    living, dead = [await send_all(client, s3_http, [b"abc"]) for _ in "ab"]
    before = await die_sealed(stores, living, lease=timedelta(minutes=1))
    await die_sealed(stores, dead)

    with _clock_off(off):
        await take_over_uploads(stores)
        taken = [(await row_of(stores.pool, each)).attempt for each in (living, dead)]

    assert taken == [before.attempt, before.attempt + 1]


@both_ways
@on_one_server
async def test_a_retry_waits_its_seconds_whatever_the_host_believes(
    stores: Stores, off: timedelta
) -> None:
    """Procrastinate adds the wait to the host's clock and compares with the database's."""
    with _clock_off(off):
        async with transaction(stores.pool) as tx:
            await queue.enqueue_job(tx, uuid4(), Kind.SCAN_PII, delay=timedelta(seconds=20))

    [entry] = await rows(
        stores.pool, "SELECT scheduled_at - clock_timestamp() AS wait FROM procrastinate_jobs"
    )
    assert timedelta(seconds=10) < entry["wait"] <= timedelta(seconds=20)


@on_one_server
async def test_an_api_key_ends_by_the_databases_clock(
    app: Litestar, settings: Settings, stores: Stores
) -> None:
    """Neither early on a host that is ahead, nor late on one that is behind."""
    living, ended = [
        await create_key(
            settings, name="k", tenant="t", user="u", scopes=(), lifetime=timedelta(hours=1)
        )
        for _ in "ab"
    ]
    async with stores.pool.connection() as conn:
        await conn.execute(
            "UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = %s", [ended.key_id]
        )

    seen = []
    for off, key in ((_HOURS, living), (-_HOURS, ended)):
        with _clock_off(off):
            async with client_of(app, key.text) as client:
                seen.append((await client.get("/api/uploads")).status_code)

    assert seen == [200, 401]


async def test_a_download_is_not_signed_either(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """S3 would answer whoever follows it with a mystery 403."""
    upload_id = await send_all(client, s3_http, [b"abc"])
    assert (await complete(client, upload_id)).status_code == 200

    with _clock_off(_HOURS):
        refused = await client.get(f"/api/uploads/{upload_id}/download")

    assert (refused.status_code, refused.json()["code"]) == (503, "clock-off")
    followed = await client.get(f"/api/uploads/{upload_id}/download")
    assert (await s3_http.get(followed.headers["location"])).content == b"abc"


@on_one_server
async def test_s3s_own_refusal_of_the_time_has_the_same_name(stores: Stores) -> None:
    """Whatever is asked of S3, and not only what is signed for others."""
    with _clock_off(_HOURS), pytest.raises(ClockOffError) as refusal:
        await stores.bucket.create_multipart("key", token="t", file_type="x/y")

    assert "clock" in refusal.value.detail


async def test_s3_is_asked_for_the_time_once_and_not_with_every_signing(
    counted: Stores, calls: list[str]
) -> None:
    """Signing costs S3 nothing; a process that has had no answer of it yet asks for one."""
    for _ in range(3):
        await counted.bucket.ready_to_sign()

    assert calls == ["HeadBucket"]


async def test_a_clock_that_is_off_is_asked_about_once_in_a_while(
    counted: Stores, calls: list[str]
) -> None:
    """Before it refuses, the service makes sure; clients that try again do not make it ask more."""
    await counted.bucket.facts("nothing")
    calls.clear()

    with _clock_off(_HOURS):
        for _ in range(3):
            with pytest.raises(ClockOffError):
                await counted.bucket.ready_to_sign()
    await counted.bucket.ready_to_sign()

    assert calls == ["HeadBucket"]


async def test_an_s3_that_shares_the_hosts_clock_is_believed_at_once(stores: Stores) -> None:
    """After the clock of both was set: what was heard before is no reason to refuse."""
    heard = S3Clock()
    clients: list[Any] = [stores.bucket._once]
    heard.listen(clients[0])
    answer = {"ResponseMetadata": {"HTTPHeaders": {"date": "Sun, 22 Nov 2020 10:00:00 GMT"}}}
    heard._hear("response-received.s3.HeadBucket", answer)

    at = await heard.agreed(stores.bucket.check)

    assert abs(datetime.now(UTC) - at) < timedelta(seconds=1)


@on_one_server
async def test_while_s3_does_not_answer_the_host_is_believed(settings: Settings) -> None:
    """Part URLs are signed without S3, and S3 will say itself what it thinks of them."""
    away = msgspec.structs.replace(settings, s3_endpoint="http://127.0.0.1:9")
    async with open_stores(away) as stores:
        started = elapsed()
        _credentials, at = await stores.bucket.ready_to_sign()

    assert abs(datetime.now(UTC) - at) < timedelta(seconds=5)
    assert elapsed() - started < 5
