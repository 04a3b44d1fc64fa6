"""An upload whose deadline has passed ends FAILED/expired, unless its object is whole."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest
from aiobotocore.awsrequest import AioAWSResponse
from botocore.compat import HTTPHeaders

from coordinator.adapters.s3_answers import MultipartGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Intent, Phase, Reason
from coordinator.domain.uploads import Upload
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.take_over_uploads import take_over_uploads
from tests.builders import complete, open_upload, row_of, rows, send_all, sign, status, tree
from tests.operations.dying import DEAD, assemble_in_s3, die_sealed
from tests.operations.endings import redis_keys, run_out

_BODY: Final = b"the one chunk"
_CHECKSUM: Final = f"sha256:{hashlib.sha256(_BODY).hexdigest()}"

# What Postgres decides is tried on one S3 server only.
_ONE_SERVER: Final = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


async def _audit(stores: Stores) -> list[str]:
    found = await rows(
        stores.pool, "SELECT action FROM audit WHERE upload_id IS NOT NULL ORDER BY id"
    )
    return [row["action"] for row in found]


async def _has_parts(stores: Stores, upload: Upload) -> bool:
    assert upload.multipart_id is not None
    try:
        return bool(
            await stores.bucket.list_parts(upload.object_key, upload.multipart_id, upload.plan)
        )
    except MultipartGoneError:
        return False


async def test_what_ran_out_is_failed_and_leaves_nothing(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Parts cost money until they are gone; one that never had any ends as well."""
    full = await send_all(client, s3_http, [_BODY])
    empty = await open_upload(client, 5)
    alive = await send_all(client, s3_http, [_BODY])
    for upload_id in (full, empty):
        await run_out(stores, upload_id)
    before = await redis_keys(stores, full)

    found = [await expire_uploads(stores) for _ in "ab"]

    assert found == [2, 0]
    for upload_id in (full, empty):
        row = await row_of(stores.pool, upload_id)
        assert (row.phase, row.reason, row.lease_until) == (Phase.FAILED, Reason.EXPIRED, None)
        assert not await _has_parts(stores, row)
        assert await redis_keys(stores, upload_id) == []
    assert before != []
    assert (await status(client, alive))["status"] == "UPLOADING"
    assert await _has_parts(stores, await row_of(stores.pool, alive))
    assert (await _audit(stores))[3:] == ["upload.expired"] * 2


@_ONE_SERVER
async def test_many_workers_at_once_expire_it_once(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The lease lets one through."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await run_out(stores, upload_id)

    await asyncio.gather(*(expire_uploads(stores) for _ in range(3)))

    row = await row_of(stores.pool, upload_id)
    assert (row.phase, row.attempt) == (Phase.FAILED, 1)
    assert await _audit(stores) == ["upload.opened", "upload.expired"]


@_ONE_SERVER
async def test_the_databases_clock_decides(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """A second before its deadline an upload is its client's."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await run_out(stores, upload_id, ago=timedelta(seconds=-30))

    found = await expire_uploads(stores)

    assert found == 0
    assert (await complete(client, upload_id)).status_code == 200


async def test_an_object_that_is_whole_completes_instead(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """S3 had committed, the answer was lost, Postgres says UPLOADING: nothing is destroyed."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await assemble_in_s3(stores, upload_id)
    await run_out(stores, upload_id)

    await expire_uploads(stores)

    row = await row_of(stores.pool, upload_id)
    assert row.phase is Phase.COMPLETED
    assert await stores.bucket.read(row.object_key, first=0, length=100) == _BODY
    assert await _audit(stores) == ["upload.opened", "upload.completed"]
    assert len(await rows(stores.pool, "SELECT id FROM jobs")) == 1
    assert (await complete(client, upload_id)).json()["manifest"]["checksum"] == tree([_BODY])


@pytest.mark.parametrize("is_leased", [True, False])
@_ONE_SERVER
async def test_a_completion_that_came_first_goes_on(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, *, is_leased: bool
) -> None:
    """Its intent was committed in time: past the deadline it is completed, and never expired."""
    upload_id = await send_all(client, s3_http, [_BODY])
    sealed = await die_sealed(stores, upload_id, lease=stores.lease if is_leased else DEAD)
    await run_out(stores, upload_id)

    found = await expire_uploads(stores)
    between = await row_of(stores.pool, upload_id)
    await take_over_uploads(stores)

    after = await row_of(stores.pool, upload_id)
    assert (found, between.attempt, between.intent) == (0, sealed.attempt, Intent.COMPLETE)
    assert after.phase is (Phase.ASSEMBLING if is_leased else Phase.COMPLETED)


@pytest.mark.parametrize("is_assembled", [False, True])
@_ONE_SERVER
async def test_an_abandoned_expiry_is_finished(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, *, is_assembled: bool
) -> None:
    """Whoever takes it over goes on with the intent, and by proof."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await run_out(stores, upload_id)
    await die_sealed(stores, upload_id, intent=Intent.EXPIRE)
    if is_assembled:
        await assemble_in_s3(stores, upload_id)

    await take_over_uploads(stores)

    row = await row_of(stores.pool, upload_id)
    ended = (Phase.COMPLETED, None) if is_assembled else (Phase.FAILED, Reason.EXPIRED)
    assert (row.phase, row.reason) == ended


@pytest.mark.parametrize("key", [None, "a-key"])
@_ONE_SERVER
async def test_the_same_file_is_opened_anew_and_the_old_parts_are_gone(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, *, key: str | None
) -> None:
    """The client came before the worker: an upload that ran out is ended on the way."""
    fields = {"checksum": _CHECKSUM}
    first = await send_all(client, s3_http, [_BODY], **fields)
    await run_out(stores, first)
    if key is not None:
        client.headers["Idempotency-Key"] = key

    second = await send_all(client, s3_http, [_BODY], **fields)

    old = await row_of(stores.pool, first)
    assert (old.phase, old.reason) == (Phase.FAILED, Reason.EXPIRED)
    assert not await _has_parts(stores, old)
    assert first != second
    assert await redis_keys(stores, first) == []
    assert (await complete(client, second)).status_code == 200
    assert await _audit(stores) == [
        *("upload.opened", "upload.expired", "upload.opened", "upload.completed")
    ]


@_ONE_SERVER
async def test_the_same_file_waits_for_an_upload_that_is_being_ended(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """It takes no chunks any more, and may yet turn out to be whole: asked again, all is well."""
    fields = {"fileName": "data.bin", "fileSize": len(_BODY), "fileType": ""}
    body = {**fields, "checksum": _CHECKSUM}
    first = await send_all(client, s3_http, [_BODY], checksum=_CHECKSUM)
    await run_out(stores, first)
    await die_sealed(stores, first, intent=Intent.EXPIRE, lease=stores.lease)

    refused = await client.post("/api/upload/init", json=body)
    await rows(stores.pool, "UPDATE uploads SET lease_until = clock_timestamp() RETURNING id")
    answer = await client.post("/api/upload/init", json=body)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"]
    assert (answer.status_code, answer.json()["uploadId"] == first) == (201, False)
    assert (await row_of(stores.pool, first)).phase is Phase.FAILED


async def test_a_part_that_is_on_its_way_is_aborted_too(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """It began before the expiry and ends after it: nothing of it stays."""
    upload_id = await open_upload(client, len(_BODY))
    [signed] = await sign(client, upload_id, {0: _BODY})
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield _BODY[:4]
        begun.set()
        await ended.wait()
        yield _BODY[4:]

    headers = {**signed["headers"], "Content-Length": str(len(_BODY))}
    late = asyncio.create_task(s3_http.put(signed["url"], content=slowly(), headers=headers))
    await begun.wait()
    await run_out(stores, upload_id)
    await expire_uploads(stores)
    ended.set()
    answer = await late

    row = await row_of(stores.pool, upload_id)
    assert (row.phase, row.reason) == (Phase.FAILED, Reason.EXPIRED)
    assert answer.status_code >= 400
    assert not await _has_parts(stores, row)


class _Nothing:
    async def read(self) -> bytes:
        """Return an empty body."""
        return b""


async def test_an_abort_that_s3_did_not_hear_of_is_repeated(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """What a part in flight looks like: S3 says aborted and lists parts, until it is told again."""
    upload_id = await send_all(client, s3_http, [_BODY])
    row = await row_of(stores.pool, upload_id)
    await run_out(stores, upload_id)
    told = 0

    def lose_two(request: Any, **_: object) -> Any:
        nonlocal told
        told += 1
        return None if told > 2 else AioAWSResponse(request.url, 204, HTTPHeaders(), _Nothing())

    events = stores.bucket._s3.meta.events
    events.register("before-send.s3.AbortMultipartUpload", lose_two)

    await expire_uploads(stores)

    assert told == 3
    assert (await row_of(stores.pool, upload_id)).phase is Phase.FAILED
    assert not await _has_parts(stores, row)
