"""``autoComplete``: the last report commits the intent, a worker completes, nothing is missed."""

from datetime import timedelta
from typing import Final

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Intent, Phase
from coordinator.operations.complete_by_itself import complete_missed
from coordinator.operations.take_over_uploads import take_over, take_over_uploads
from tests.builders import (
    SMALLEST,
    complete,
    cut,
    open_upload,
    row_of,
    rows,
    send,
    send_all,
    some_bytes,
    status,
    tree,
    uuid_of,
)

_CHUNKS: Final = cut(some_bytes(SMALLEST + 3), SMALLEST)
_SOON: Final = timedelta(0)


async def _report(client: httpx.AsyncClient, upload_id: str, *indexes: int) -> httpx.Response:
    chunks = [{"chunkIndex": index} for index in indexes]
    return await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunks": chunks})


async def _queued(stores: Stores) -> list[str]:
    found = await rows(
        stores.pool, "SELECT task_name FROM procrastinate_jobs WHERE queue_name = 'uploads'"
    )
    return [row["task_name"] for row in found]


async def test_the_last_report_commits_and_a_worker_completes(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The reporting request itself waits for nothing of S3."""
    upload_id = await send_all(client, s3_http, _CHUNKS, autoComplete=True)

    first = await _report(client, upload_id, 1)
    between = await row_of(stores.pool, upload_id)
    last = await _report(client, upload_id, 0)
    sealed = await row_of(stores.pool, upload_id)
    queued = await _queued(stores)
    await take_over(stores, uuid_of(upload_id))

    seen = await status(client, upload_id)
    assert (first.status_code, last.status_code) == (200, 200)
    assert last.json()["progress"]["uploaded"] == 2
    assert between.phase is Phase.UPLOADING
    assert (sealed.phase, sealed.intent, sealed.is_leased) == (
        Phase.ASSEMBLING,
        Intent.COMPLETE,
        False,
    )
    assert queued == ["complete_upload"]
    assert (seen["status"], seen["autoComplete"]) == ("COMPLETED", True)
    assert len(await rows(stores.pool, "SELECT id FROM jobs")) == 1
    assert (await complete(client, upload_id)).json()["manifest"]["checksum"] == tree(_CHUNKS)


async def test_without_the_flag_nothing_happens_by_itself(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The client may have more to say, a checksum for example."""
    upload_id = await send_all(client, s3_http, _CHUNKS)

    await _report(client, upload_id, 0, 1)
    looked = await complete_missed(stores, patience=_SOON)

    assert (looked, await _queued(stores)) == (0, [])
    assert (await row_of(stores.pool, upload_id)).phase is Phase.UPLOADING


async def test_a_report_that_was_a_lie_opens_the_upload_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Chunk 1 was never sent; when it is, its report completes after all."""
    upload_id = await open_upload(
        client, sum(map(len, _CHUNKS)), chunk_size=SMALLEST, autoComplete=True
    )
    await send(client, s3_http, upload_id, {0: _CHUNKS[0]})
    await _report(client, upload_id, 0, 1)
    await take_over_uploads(stores)
    reopened = await status(client, upload_id)

    await send(client, s3_http, upload_id, {1: _CHUNKS[1]})
    await _report(client, upload_id, 1)
    await take_over_uploads(stores)

    assert (reopened["status"], reopened["missingChunks"]) == ("UPLOADING", [1])
    assert (await row_of(stores.pool, upload_id)).phase is Phase.COMPLETED


@pytest.mark.parametrize("reported", [(), (0,)])
async def test_a_missed_last_report_is_found(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    reported: tuple[int, ...],
) -> None:
    """Reports are optional, and Redis may lose them: S3 knows."""
    upload_id = await send_all(client, s3_http, _CHUNKS, autoComplete=True)
    if reported:
        await _report(client, upload_id, *reported)

    at_once = await complete_missed(stores)
    found = [await complete_missed(stores, patience=_SOON) for _ in range(2)]
    await take_over_uploads(stores)

    assert (at_once, found) == (0, [1, 0])
    assert (await row_of(stores.pool, upload_id)).phase is Phase.COMPLETED


async def test_an_upload_that_lacks_a_chunk_is_looked_at_and_left(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """All chunks are signed, one has not arrived yet."""
    upload_id = await send_all(client, s3_http, _CHUNKS[:1], autoComplete=True)
    lacking = await open_upload(
        client, sum(map(len, _CHUNKS)), chunk_size=SMALLEST, autoComplete=True
    )
    await send(client, s3_http, lacking, {0: _CHUNKS[0]})
    answer = await client.post(
        "/api/upload/urls",
        json={"uploadId": lacking, "chunks": [{"chunkIndex": 1, "sha256": "0" * 64}]},
    )

    found = await complete_missed(stores, patience=_SOON)

    assert (answer.status_code, found) == (200, 1)
    assert (await row_of(stores.pool, upload_id)).phase is Phase.ASSEMBLING
    row = await row_of(stores.pool, lacking)
    assert (row.phase, row.attempt) == (Phase.UPLOADING, 0)


async def test_a_wrong_checksum_is_not_tried_for_ever(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The upload stops completing by itself; the client that asks hears why."""
    wrong = tree([b"another", b"file"])
    upload_id = await send_all(client, s3_http, _CHUNKS, autoComplete=True, checksum=wrong)
    await _report(client, upload_id, 0, 1)
    await take_over_uploads(stores)

    found = await complete_missed(stores, patience=_SOON)
    seen = await status(client, upload_id)
    refused = await complete(client, upload_id)

    assert (found, seen["status"], seen["autoComplete"]) == (0, "UPLOADING", False)
    assert (refused.status_code, refused.json()["code"]) == (422, "checksum-mismatch")


async def test_a_client_that_completes_first_is_answered(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Asking is never wrong, and the worker that comes late finds nothing to do."""
    upload_id = await send_all(client, s3_http, _CHUNKS, autoComplete=True)
    await _report(client, upload_id, 0, 1)

    answer = await complete(client, upload_id)
    await take_over(stores, uuid_of(upload_id))

    assert answer.status_code == 200
    assert len(await rows(stores.pool, "SELECT id FROM jobs")) == 1
    completed = "SELECT FROM audit WHERE action = 'upload.completed'"
    assert len(await rows(stores.pool, completed)) == 1
