"""Aborting takes the same lease as completing, and never destroys a whole object."""

import asyncio
import hashlib

import httpx
import pytest

from coordinator.adapters.s3_answers import MultipartGoneError
from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase, Reason
from coordinator.operations.verify_object import verify_object
from tests.builders import (
    SMALLEST,
    ask_urls,
    complete,
    cut,
    row_of,
    rows,
    send,
    send_all,
    some_bytes,
    uuid_of,
)
from tests.operations.dying import assemble_in_s3, die_sealed

_BODY = b"the one chunk"


async def _abort(client: httpx.AsyncClient, upload_id: str) -> httpx.Response:
    return await client.delete(f"/api/uploads/{upload_id}")


async def _actions(stores: Stores) -> list[str]:
    found = await rows(
        stores.pool, "SELECT action FROM audit WHERE upload_id IS NOT NULL ORDER BY id"
    )
    return [row["action"] for row in found]


async def test_an_aborted_upload_leaves_nothing_in_s3(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Parts cost money until they are gone."""
    upload_id = await send_all(client, s3_http, [_BODY])

    answers = [await _abort(client, upload_id) for _ in range(2)]

    row = await row_of(stores.pool, upload_id)
    assert [(each.status_code, each.content) for each in answers] == [(204, b"")] * 2
    assert (row.phase, row.reason) == (Phase.FAILED, Reason.ABORTED)
    assert await _actions(stores) == ["upload.opened", "upload.aborted"]
    assert row.multipart_id is not None
    with pytest.raises(MultipartGoneError):
        await stores.bucket.list_parts(row.object_key, row.multipart_id, row.plan)
    assert await stores.bucket.facts(row.object_key) is None


async def test_an_aborted_upload_takes_nothing_any_more(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Whoever still has its id learns how it ended."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await _abort(client, upload_id)

    answers = [
        await complete(client, upload_id),
        await ask_urls(client, upload_id, {0: _BODY}),
        await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0}),
        await client.get(f"/api/uploads/{upload_id}/download"),
    ]

    problems = [(each.status_code, each.json()["code"], each.json()["phase"]) for each in answers]
    assert problems == [(409, "wrong-phase", "FAILED")] * 4


async def test_a_completed_upload_cannot_be_aborted(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Its jobs may be reading the object."""
    upload_id = await send_all(client, s3_http, [_BODY])
    done = await complete(client, upload_id)

    refused = await _abort(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (409, "wrong-phase")
    assert await stores.bucket.read(done.json()["filePath"], first=0, length=100) == _BODY
    assert (await complete(client, upload_id)).json() == done.json()


async def test_an_abort_after_a_lost_answer_completes(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """S3 has the object: it is proven and kept, and the client is told."""
    upload_id = await send_all(client, s3_http, [_BODY])
    await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)

    refused = await _abort(client, upload_id)

    assert (refused.status_code, refused.json()["phase"]) == (409, "COMPLETED")
    assert (await row_of(stores.pool, upload_id)).phase is Phase.COMPLETED
    assert await _actions(stores) == ["upload.opened", "upload.completed"]
    assert (await complete(client, upload_id)).status_code == 200


@pytest.mark.parametrize("is_right", [True, False])
async def test_an_abort_after_a_lost_answer_does_not_skip_the_declared_sha256(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, *, is_right: bool
) -> None:
    """Whole is not yet right: COMPLETED means proven, by this way too."""
    chunks = cut(some_bytes(SMALLEST + 1), SMALLEST)
    digest = hashlib.sha256(b"".join(chunks) if is_right else b"another file").hexdigest()
    upload_id = await send_all(client, s3_http, chunks, checksum=f"sha256:{digest}")
    await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)

    waits = await _abort(client, upload_id)
    before = await row_of(stores.pool, upload_id)
    await verify_object(stores, uuid_of(upload_id))

    after = await row_of(stores.pool, upload_id)
    assert (waits.status_code, before.phase) == (202, Phase.ASSEMBLING)
    expected = (Phase.COMPLETED, None) if is_right else (Phase.FAILED, Reason.CHECKSUM_MISMATCH)
    assert (after.phase, after.reason) == expected


async def test_abort_and_complete_at_once_end_in_one_of_the_two(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """COMPLETED with its object and job, or FAILED with neither; the loser hears of it."""
    for turn in range(4):
        upload_id = await send_all(client, s3_http, [_BODY])
        asked = [complete(client, upload_id), _abort(client, upload_id)]
        pair = await asyncio.gather(*(asked if turn % 2 else reversed(asked)))

        row = await row_of(stores.pool, upload_id)
        facts = await stores.bucket.facts(row.object_key)
        jobs = await rows(stores.pool, "SELECT FROM jobs WHERE upload_id = %s", [row.id])
        is_done = row.phase is Phase.COMPLETED
        assert row.phase in {Phase.COMPLETED, Phase.FAILED}
        assert (facts is not None, len(jobs)) == (is_done, int(is_done))
        completed, aborted = [each.status_code for each in (pair if turn % 2 else pair[::-1])]
        assert completed in ({200} if is_done else {202, 409})
        assert aborted in ({202, 409} if is_done else {204})


async def test_a_part_that_is_sent_after_the_abort_is_refused(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Its URL is still good, its multipart is not."""
    upload_id = await send_all(client, s3_http, [_BODY])
    signed = (await ask_urls(client, upload_id, {0: _BODY}, force=True)).json()["chunks"][0]
    await _abort(client, upload_id)

    late = await s3_http.put(signed["url"], content=_BODY, headers=signed["headers"])

    assert late.status_code == 404
    assert await stores.bucket.facts((await row_of(stores.pool, upload_id)).object_key) is None


async def test_the_same_file_can_be_opened_again_after_an_abort(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """A new upload, and the old one's digests bind it to nothing."""
    checksum = f"sha256:{hashlib.sha256(_BODY).hexdigest()}"
    first = await send_all(client, s3_http, [_BODY], checksum=checksum)
    await _abort(client, first)

    second = await send_all(client, s3_http, [_BODY], checksum=checksum)
    await send(client, s3_http, second, {0: _BODY})

    assert second != first
    assert (await complete(client, second)).status_code == 200
