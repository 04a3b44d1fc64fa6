"""Quotas are reserved where an upload is opened, given back where it ends, and never exceeded."""

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import httpx
import msgspec
import pytest

from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.domain.errors import QuotaExceededError
from coordinator.domain.phases import Phase
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.sweep_bucket import sweep_bucket
from coordinator.operations.verify_object import verify_object
from coordinator.settings import Settings
from tests.builders import (
    SMALLEST,
    complete,
    cut,
    open_upload,
    row_of,
    rows,
    send_all,
    some_bytes,
    uuid_of,
)
from tests.conftest import MakeKey, client_of
from tests.operations.endings import run_out
from tests.operations.limiting import limit, miscounted, usage
from tests.web.driving import problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_BODY: Final = b"the one chunk"
_SIZE: Final = len(_BODY)
# `RUNS=10` for the proof.
_RUNS: Final = range(int(os.environ.get("RUNS", "1")))

_CONTENTS: Final = """
SELECT (SELECT count(*) FROM uploads) AS uploads,
       (SELECT count(*) FROM idempotency_keys) AS keys,
       (SELECT count(*) FROM audit WHERE action = 'upload.opened') AS audit,
       (SELECT coalesce(sum(opened), 0) FROM statistics) AS statistics,
       (SELECT coalesce(sum(open_uploads), 0) FROM usage) AS open
"""


def _wish(name: str = "a.bin", size: int = _SIZE, **fields: Any) -> dict[str, Any]:
    return {"fileName": name, "fileSize": size, "fileType": "", **fields}


async def _init(client: httpx.AsyncClient, key: str | None = None, **wish: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post("/api/upload/init", json=_wish(**wish), headers=headers)


async def _answered(client: httpx.AsyncClient, name: str) -> httpx.Response:
    """Ask as clients do: 503, where all connections are in use for long, is asked again."""
    for _ in range(60):
        answer = await _init(client, key=name, name=name)
        if answer.status_code != 503:
            break
        await asyncio.sleep(0.5)
    return answer


async def _multiparts(stores: Stores, settings: Settings) -> int:
    pages = stores.bucket.list_multiparts(f"{settings.s3_prefix}/")
    return len([each async for page in pages for each in page])


async def _completes(client: httpx.AsyncClient, s3: httpx.AsyncClient, _stores: Stores) -> str:
    upload_id = await send_all(client, s3, [_BODY])
    assert (await complete(client, upload_id)).status_code == 200
    return upload_id


async def _aborts(client: httpx.AsyncClient, _s3: httpx.AsyncClient, _stores: Stores) -> str:
    upload_id = await open_upload(client, _SIZE)
    assert (await client.delete(f"/api/uploads/{upload_id}")).status_code == 204
    return upload_id


async def _expires(client: httpx.AsyncClient, _s3: httpx.AsyncClient, stores: Stores) -> str:
    upload_id = await open_upload(client, _SIZE)
    await run_out(stores, upload_id)
    assert await expire_uploads(stores) == 1
    return upload_id


async def _is_not_what_was_declared(
    client: httpx.AsyncClient, s3: httpx.AsyncClient, stores: Stores
) -> str:
    """The only way to this end is a file of several chunks."""
    chunks = cut(some_bytes(SMALLEST + 1), SMALLEST)
    upload_id = await send_all(client, s3, chunks, checksum=f"sha256:{'0' * 64}")
    await complete(client, upload_id)
    await verify_object(stores, uuid_of(upload_id))
    return upload_id


async def _is_of_another_type(
    client: httpx.AsyncClient, s3: httpx.AsyncClient, _stores: Stores
) -> str:
    upload_id = await send_all(client, s3, [_BODY], fileType="image/png", fileName="a")
    assert (await complete(client, upload_id)).status_code == 422
    return upload_id


Ending = Callable[[httpx.AsyncClient, httpx.AsyncClient, Stores], Awaitable[str]]


@pytest.mark.parametrize(
    ("end", "phase"),
    [
        (_completes, Phase.COMPLETED),
        (_aborts, Phase.FAILED),
        (_expires, Phase.FAILED),
        (_is_not_what_was_declared, Phase.FAILED),
        (_is_of_another_type, Phase.FAILED),
    ],
)
async def test_every_end_gives_back_what_it_should(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    *,
    end: Ending,
    phase: Phase,
) -> None:
    """What FAILED gives back all; what is COMPLETED is not open any more, and stored."""
    await limit(stores, type_check="refuse")

    upload_id = await end(client, s3_http, stores)

    assert (await row_of(stores.pool, upload_id)).phase is phase
    expected = (0, _SIZE, _SIZE) if phase is Phase.COMPLETED else (0, 0, 0)
    assert await usage(stores) == expected
    assert await miscounted(stores) == []


async def test_an_erased_row_gives_back_its_bytes_of_the_store_only(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """What was sent today was sent, although nothing of it is kept."""
    done = await _completes(client, s3_http, stores)
    gone = await _aborts(client, s3_http, stores)
    before = await usage(stores)

    async with stores.pool.connection() as conn:
        await conn.execute("DELETE FROM jobs")
        await conn.execute("DELETE FROM manifests")
        for upload_id in (done, gone):
            await conn.execute("DELETE FROM uploads WHERE id = %s", [uuid_of(upload_id)])

    assert before == (0, _SIZE, _SIZE)
    assert await usage(stores) == (0, 0, _SIZE)


async def test_bytes_of_yesterday_are_not_todays(client: httpx.AsyncClient, stores: Stores) -> None:
    """The day's quota begins anew at midnight UTC, and an old upload that ends takes nothing."""
    await limit(stores, bytes_a_day=_SIZE)
    old = await open_upload(client, _SIZE)
    async with stores.pool.connection() as conn:
        await conn.execute("UPDATE uploads SET created_at = created_at - interval '1 day'")
        await conn.execute("UPDATE usage SET day = day - 1")

    fresh = await _init(client)
    await client.delete(f"/api/uploads/{old}")
    full = await _init(client, name="b.bin")

    assert (fresh.status_code, full.status_code) == (201, 403)
    assert await usage(stores) == (1, _SIZE, _SIZE)


@pytest.mark.parametrize(
    ("quota", "row", "facts"),
    [
        ("openUploads", {"open_uploads": 2}, {"limit": 2, "used": 2}),
        ("bytesADay", {"bytes_a_day": 3 * _SIZE - 1}, {"limit": 3 * _SIZE - 1, "used": 2 * _SIZE}),
        ("storedBytes", {"stored_bytes": 2 * _SIZE}, {"limit": 2 * _SIZE, "used": 2 * _SIZE}),
        ("largestFile", {"largest_file": _SIZE - 1}, {"limit": _SIZE - 1, "used": _SIZE}),
    ],
)
async def test_what_does_not_fit_leaves_nothing(
    client: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
    *,
    quota: str,
    row: dict[str, Any],
    facts: dict[str, int],
) -> None:
    """No row, no key, no multipart, nothing in the audit or the statistics: it never was."""
    for name in ("a.bin", "b.bin"):
        await open_upload(client, _SIZE, fileName=name)
    before = await rows(stores.pool, _CONTENTS)
    await limit(stores, **row)

    refused = [await _init(client, key="the-key", name="c.bin") for _ in "ab"]

    expected = problem(QuotaExceededError, quota=quota, **facts)
    assert [each.status_code for each in refused] == [403, 403]
    assert [each.json() for each in refused] == [expected, expected]
    assert await rows(stores.pool, _CONTENTS) == before
    assert await _multiparts(stores, settings) == 2


async def test_the_key_of_a_refused_init_is_good_once_there_is_room(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    """A client repeats its request as it is, key and all."""
    await limit(stores, open_uploads=1)
    first = await open_upload(client, _SIZE)
    refused = await _init(client, key="the-key", name="b.bin")
    await client.delete(f"/api/uploads/{first}")

    again = await _init(client, key="the-key", name="b.bin")

    assert (refused.status_code, again.status_code) == (403, 201)


async def test_what_is_found_again_reserves_nothing(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    """A tenant that is full can still resume all that it has open."""
    await limit(stores, open_uploads=2, bytes_a_day=2 * _SIZE, stored_bytes=2 * _SIZE)
    checksum = f"sha256:{hashlib.sha256(_BODY).hexdigest()}"
    opened = [await _init(client, checksum=checksum), await _init(client, key="k", name="b.bin")]

    found = [await _init(client, checksum=checksum), await _init(client, key="k", name="b.bin")]
    full = await _init(client, name="c.bin")

    assert [each.status_code for each in (*opened, *found, full)] == [201, 201, 200, 200, 403]
    assert await usage(stores) == (2, 2 * _SIZE, 2 * _SIZE)


async def test_a_limit_that_comes_later_ends_nothing_that_is_open(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    """A client goes on with its file, and only the next such file is refused."""
    checksum = f"sha256:{hashlib.sha256(_BODY).hexdigest()}"
    await _init(client, checksum=checksum)
    await _init(client, key="k", name="b.bin")
    await limit(stores, open_uploads=1, largest_file=_SIZE - 1, file_types=["image/*"])

    found = [await _init(client, checksum=checksum), await _init(client, key="k", name="b.bin")]
    refused = await _init(client, name="c.bin")

    assert [each.status_code for each in found] == [200, 200]
    assert (refused.status_code, refused.json()["quota"]) == (403, "largestFile")


async def test_a_field_without_a_limit_of_its_own_has_the_defaults(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    """Field by field; and one tenant's use is nothing to another."""
    await limit(stores, "*", open_uploads=1, largest_file=_SIZE)
    await limit(stores, open_uploads=2)
    await limit(stores, "another", open_uploads=0)

    answers = [
        await _init(client, name="a.bin"),
        await _init(client, name="b.bin"),
        await _init(client, name="c.bin"),
        await _init(client, name="d.bin", size=_SIZE + 1),
    ]

    assert [each.status_code for each in answers] == [201, 201, 403, 403]
    assert [each.json()["quota"] for each in answers[2:]] == ["openUploads", "largestFile"]


@pytest.mark.parametrize("run", _RUNS)
async def test_two_hundred_at_once_open_exactly_fifty(
    settings: Settings, stores: Stores, make_key: MakeKey, *, run: int
) -> None:
    """Two services, several users, one tenant: what each has counted, the others have seen."""
    await limit(stores, open_uploads=50)
    unlimited = msgspec.structs.replace(settings, rate_limits_user="off", rate_limits_address="off")
    async with AsyncExitStack() as stack:
        clients = []
        for _ in "ab":
            service = create_app(unlimited)
            await stack.enter_async_context(service.lifespan())
            for user in ("alice", "bob", "carol"):
                client = client_of(service, await make_key(user=f"{user}-{run}"))
                clients.append(await stack.enter_async_context(client))

        answers = await asyncio.gather(
            *[_answered(clients[at % len(clients)], f"{at}.bin") for at in range(200)]
        )

    # Of a call whose answer came too late S3 may hold one that no row names: sweeping is for these.
    await sweep_bucket(stores, settings.s3_prefix, older_than=timedelta(0), quiet=timedelta(0))
    codes = Counter(each.json().get("code", "opened") for each in answers)
    kept = await rows(stores.pool, "SELECT count(*) AS n, count(multipart_id) AS m FROM uploads")
    assert codes == {"opened": 50, "quota-exceeded": 150}
    assert kept == [{"n": 50, "m": 50}]
    assert await _multiparts(stores, settings) == 50
    assert await usage(stores) == (50, 50 * _SIZE, 50 * _SIZE)
