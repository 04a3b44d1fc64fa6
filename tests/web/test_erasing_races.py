"""Erasing while something else goes on: completing, jobs, opening, and whoever looks."""

from datetime import timedelta
from typing import Final

import httpx
import psycopg
import pytest
from litestar import Litestar

from coordinator import points
from coordinator.adapters import jobs, leases
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Scope
from coordinator.domain.errors import (
    UploadNotFoundError,
)
from coordinator.domain.jobs import State
from coordinator.operations.erase import erase
from coordinator.operations.open_multipart import open_multipart
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from tests.builders import row_of, rows, uuid_of
from tests.conftest import MakeKey, client_of
from tests.operations.dying import die_sealed
from tests.operations.endings import redis_keys
from tests.web.driving import (
    CHUNK,
    a_file,
    complete,
    completed,
    opened,
    problem,
    sent,
    sha256,
)
from tests.web.erasing import AT_ONCE, NOTHING, ask, finished
from tests.web.listening import served

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_HIDE: Final = """
UPDATE uploads SET erasing_since = clock_timestamp(), erasure_id = gen_random_uuid() WHERE id = %s
"""


async def test_an_upload_is_gone_for_everybody_before_anything_is_removed(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
) -> None:
    """The answer to the request is enough: no worker has run."""
    upload_id = await opened(client, 3)
    await sent(client, s3_http, upload_id, {0: b"abc"})
    report = {"uploadId": upload_id, "chunkIndex": 0}
    assert (await client.post("/api/upload/chunk", json=report)).status_code == 200
    before = await row_of(stores.pool, upload_id)

    await ask(admin, uploadId=upload_id)

    chunks = [{"chunkIndex": 0, "sha256": sha256(b"abc")}]
    answers = [
        await client.get(f"/api/upload/status/{upload_id}"),
        await client.get(f"/api/upload/status/{upload_id}?verify=true"),
        await client.post("/api/upload/urls", json={"uploadId": upload_id, "chunks": chunks}),
        await client.post("/api/upload/chunk", json=report),
        await complete(client, upload_id),
        await client.delete(f"/api/uploads/{upload_id}"),
        *[
            await client.get(f"/api/uploads/{upload_id}/{what}")
            for what in ("manifest", "jobs", "download", "events")
        ],
        await admin.put(f"/api/uploads/{upload_id}/hold", json={"case": "late"}),
        await admin.delete(f"/api/uploads/{upload_id}/hold"),
    ]
    gone = problem(UploadNotFoundError, field="uploadId")
    assert [answer.json() for answer in answers] == [gone] * len(answers)
    assert (await client.get("/api/uploads")).json()["uploads"] == []
    assert await redis_keys(stores, upload_id) == [f"{{{upload_id}}}:erased".encode()]
    # Whoever had read the row before cannot bring the ledger back.
    await stores.ledger.rebuild(before, {0: "etag"})
    assert await redis_keys(stores, upload_id) == [f"{{{upload_id}}}:erased".encode()]


async def test_the_same_file_is_opened_anew_while_it_is_being_erased(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, stores: Stores
) -> None:
    """By its checksum, and by an Idempotency-Key that named the erased one."""
    body = a_file(3, checksum=f"sha256:{sha256(b'abc')}")
    headers = {"Idempotency-Key": "the-same"}
    first = (await client.post("/api/upload/init", json=body, headers=headers)).json()["uploadId"]
    erasure = await ask(admin, uploadId=first)

    answers = [
        await client.post("/api/upload/init", json=body, headers=headers),
        await client.post("/api/upload/init", json=body),
    ]

    assert [answer.status_code for answer in answers] == [201, 200]
    ids = {answer.json()["uploadId"] for answer in answers}
    assert len(ids) == 1
    assert first not in ids
    done = await finished(admin, stores, erasure)
    assert (done["report"]["uploads"], done["report"]["multiparts"]) == (1, 1)


async def test_an_upload_under_a_live_lease_is_waited_for(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
) -> None:
    """Whoever drives it may have a call under way at S3; he is not let begin another."""
    upload_id = await opened(client, 3)
    await sent(client, s3_http, upload_id, {0: b"abc"})
    sealed = await die_sealed(stores, upload_id, lease=timedelta(hours=1))
    erasure = await ask(admin, uploadId=upload_id)

    await erase(stores, pause=AT_ONCE)
    waiting = (await admin.get(f"/api/erasures/{erasure['erasureId']}")).json()
    async with stores.pool.connection() as conn:
        with pytest.raises(leases.LeaseLostError):
            await leases.extend(conn, sealed, lease=stores.lease)
        await leases.lapse(conn, sealed)
    done = await finished(admin, stores, erasure)

    assert (waiting["status"], waiting["report"]["remaining"]) == ("running", 1)
    assert (done["report"]["uploads"], done["report"]["multiparts"]) == (1, 1)


async def test_completing_stops_where_the_upload_is_hidden_meanwhile(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
) -> None:
    """Between comparing and sending: S3 is never told to assemble it."""
    upload_id = await opened(client, 3)
    await sent(client, s3_http, upload_id, {0: b"abc"})
    passed: list[str] = []

    def hide(point: str) -> None:
        passed.append(point)
        if point == "compared":
            with psycopg.connect(settings.database_url) as conn:
                conn.execute(_HIDE, [uuid_of(upload_id)])

    points.install(hide)
    try:
        answer = await complete(client, upload_id)
    finally:
        points.install(None)

    assert answer.status_code == 202
    assert "compared" in passed
    assert "before-complete" not in passed
    async with stores.pool.connection() as conn:
        await leases.lapse(conn, await row_of(stores.pool, upload_id))
    done = await finished(admin, stores, await ask(admin, uploadId=upload_id))
    assert done["report"] == NOTHING
    assert (
        await rows(stores.pool, "SELECT id FROM uploads WHERE id = %s", [uuid_of(upload_id)]) == []
    )


async def test_a_job_that_runs_meanwhile_writes_nothing(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
) -> None:
    """Its queue entry stays for the worker that is at it, and names nothing any more."""
    upload_id = await completed(client, s3_http, b"abc")
    [row] = await rows(
        stores.pool, "SELECT id FROM jobs WHERE upload_id = %s", [uuid_of(upload_id)]
    )
    taken = """
    UPDATE procrastinate_jobs SET status = 'doing' WHERE args->>'job_id' = %s RETURNING id
    """
    [entry] = await rows(stores.pool, taken, [str(row["id"])])
    async with stores.pool.connection() as conn:
        job = await jobs.start(conn, row["id"])
    assert job is not None

    erasure = await ask(admin, uploadId=upload_id)
    async with stores.pool.connection() as conn:
        assert await jobs.start(conn, row["id"]) is None
    await finished(admin, stores, erasure)

    async with stores.pool.connection() as conn:
        written = [
            await jobs.succeed(conn, job, {"rows": 1}),
            await jobs.fail(conn, job, "Late", to=State.QUEUED),
        ]
    assert written == [False, False]
    left = "SELECT status::text, args, lock FROM procrastinate_jobs WHERE id = %s"
    assert await rows(stores.pool, left, [entry["id"]]) == [
        {"status": "doing", "args": {}, "lock": None}
    ]


async def test_an_object_that_waits_to_be_hashed_need_not_be(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
) -> None:
    """Reading terabytes that are to be erased helps nobody."""
    chunks = [b"a" * CHUNK, b"b"]
    upload_id = await opened(client, CHUNK + 1, checksum=f"sha256:{sha256(b''.join(chunks))}")
    await sent(client, s3_http, upload_id, dict(enumerate(chunks)))
    assert (await complete(client, upload_id)).status_code == 202

    erasure = await ask(admin, uploadId=upload_id)
    await verify_object(stores, uuid_of(upload_id))
    done = await finished(admin, stores, erasure)

    assert (done["report"]["objects"], done["report"]["bytes"]) == (1, CHUNK + 1)
    assert done["report"]["queueEntries"] == 1


async def test_a_multipart_that_comes_too_late_is_aborted(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, stores: Stores
) -> None:
    """Its key has the file's name, and no sweep would come for a day."""
    upload_id = await opened(client, 3)
    [row] = await rows(
        stores.pool,
        "UPDATE uploads SET multipart_id = NULL WHERE id = %s RETURNING object_key",
        [uuid_of(upload_id)],
    )
    upload = await row_of(stores.pool, upload_id)
    await finished(admin, stores, await ask(admin, uploadId=upload_id))

    with pytest.raises(UploadNotFoundError):
        await open_multipart(stores, upload)

    listed = [
        each async for page in stores.bucket.list_multiparts(row["object_key"]) for each in page
    ]
    assert listed == []


async def test_what_a_user_opens_after_the_request_is_not_part_of_it(
    app: Litestar, admin: httpx.AsyncClient, stores: Stores, make_key: MakeKey
) -> None:
    """So an erasure ends, whatever a backend goes on to send for that user."""
    async with client_of(app, await make_key(user="backend", scopes=(Scope.ACT_AS,))) as backend:
        await opened(backend, 3, userId="bob")
        erasure = await ask(admin, userId="bob")
        later = await opened(backend, 3, userId="bob", fileName="later.bin")

        done = await finished(admin, stores, erasure)

        assert done["report"]["uploads"] == 1
        assert (await backend.get(f"/api/upload/status/{later}")).status_code == 200


async def test_a_stream_of_events_ends_when_its_upload_is_hidden(
    app: Litestar,
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    make_key: MakeKey,
) -> None:
    """Whoever was reading hears no more of it than whoever asks anew."""
    upload_id = await opened(client, 3)

    async with served(app, await make_key()) as service, service.reading(upload_id) as reader:
        await reader.until(lambda each: bool(each.events))
        before = len(reader.events)
        await ask(admin, uploadId=upload_id)
        await reader.ended(10.0)

    assert reader.events[before:] == []
