"""ListParts is old, or lists a part twice, and ETags are no digests: nothing wrong is assembled."""

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from coordinator.operations.take_over_uploads import take_over_uploads
from tests.builders import SMALLEST, complete, cut, row_of, send_all, some_bytes, status
from tests.faults import listings
from tests.faults.answers.proving import BODY, check_completed_once
from tests.faults.hostile_s3 import COMPLETE, LIST, HostileS3
from tests.localstack import S3Address
from tests.operations.dying import assemble_in_s3, die_sealed

_DATA = some_bytes(2 * SMALLEST + 9)
_CHUNKS = cut(_DATA, SMALLEST)


async def test_a_stale_listing_asks_for_chunks_and_loses_none(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """S3 holds the chunk and says that it does not: sending it again is harmless, so is waiting."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(LIST, listings.stale)

    refused = await complete(client, upload_id)
    row = await row_of(stores.pool, upload_id)
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["missingChunks"]) == (409, [0])
    assert (row.phase, row.generation) == (Phase.UPLOADING, 1)
    assert (answer.status_code, s3.count(COMPLETE)) == (200, 1)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_takeover_proves_before_it_believes_a_listing(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """The dead attempt had completed, and S3 still lists the parts: nothing is sent again."""
    upload_id = await send_all(client, s3_http, [BODY])
    await client.get(f"/api/upload/status/{upload_id}?verify=true")
    await die_sealed(stores, upload_id)
    await assemble_in_s3(stores, upload_id)
    s3.harm(LIST, listings.stale, nth=None)

    await take_over_uploads(stores)

    assert s3.count(COMPLETE) == 1
    await check_completed_once(client, stores, s3, upload_id, BODY)


@pytest.mark.parametrize("first", [True, False])
async def test_the_right_one_of_two_entries_is_taken(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    *,
    first: bool,
) -> None:
    """A wrong entry, of an earlier sending say, stands before or after; pages are short."""
    upload_id = await send_all(client, s3_http, _CHUNKS)
    s3.harm(LIST, listings.twice(listings.wrong_size, first=first), nth=None)

    seen = await client.get(f"/api/upload/status/{upload_id}?verify=true")
    answer = await complete(client, upload_id)

    assert seen.json()["missingChunks"] == []
    assert (answer.status_code, s3.count(COMPLETE)) == (200, 1)
    await check_completed_once(client, stores, s3, upload_id, _DATA)


@pytest.mark.parametrize("first", [True, False])
async def test_an_entry_of_a_part_that_is_gone_assembles_nothing_wrong(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    *,
    first: bool,
) -> None:
    """It looks right but for its ETag; S3 refuses the list, one more listing is asked for."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(LIST, listings.twice(listings.wrong_etag, first=first))

    answer = await complete(client, upload_id)

    assert (answer.status_code, s3.count(COMPLETE)) == (200, 1 if first else 2)
    assert s3.count(LIST) == s3.count(COMPLETE)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_listing_that_stays_wrong_opens_the_upload_again(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """Once more is enough: the client hears of it, and nothing is lost when S3 has recovered."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(LIST, listings.twice(listings.wrong_etag, first=False), nth=None)

    refused = await complete(client, upload_id)
    row = await row_of(stores.pool, upload_id)
    sent = s3.count(COMPLETE), s3.count(LIST)
    s3.heal()
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["missingChunks"]) == (409, [0])
    assert (row.phase, row.generation, sent) == (Phase.UPLOADING, 1, (2, 2))
    assert answer.status_code == 200
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_short_pages_are_followed_to_the_end(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """A page may be shorter than asked for: only its end says that it was the last."""
    upload_id = await send_all(client, s3_http, _CHUNKS)
    s3.harm(LIST, listings.short_pages(1), nth=None)

    answer = await complete(client, upload_id)

    assert (answer.status_code, s3.count(LIST), s3.count(COMPLETE)) == (200, 3, 1)
    await check_completed_once(client, stores, s3, upload_id, _DATA)


async def test_etags_that_are_no_digests_are_passed_on_as_they_are(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    s3_server: S3Address,
) -> None:
    """SSE-KMS has such: an ETag is opaque, whatever it looks like."""
    listings.Disguise(s3, s3_server)
    upload_id = await send_all(client, s3_http, _CHUNKS)
    body = {"uploadId": upload_id, "chunks": [{"chunkIndex": 0, "etag": "no-MD5-kms"}]}
    assert (await client.post("/api/upload/chunk", json=body)).status_code == 200

    seen = await status(client, upload_id)
    answer = await complete(client, upload_id)

    assert seen["uploadedChunks"] == 1
    assert (answer.status_code, s3.statuses(COMPLETE)) == (200, [200])
    await check_completed_once(client, stores, s3, upload_id, _DATA)
