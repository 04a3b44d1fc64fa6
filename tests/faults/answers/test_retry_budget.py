"""The one retry budget of S3 (``coordinator/adapters/bucket.py``): counted at S3, not multiplied.

What may be repeated is tried three times, CompleteMultipartUpload once, and nobody above tries
again. The client hears of it and waits.
"""

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from tests.builders import complete, open_upload, row_of, send, send_all
from tests.faults import harms
from tests.faults.answers.proving import BODY, NEVER, check_completed_once, end_lease, written
from tests.faults.hostile_s3 import COMPLETE, CREATE, HEAD, LIST, PUT, Harm, HostileS3

TRIES = 3

# Whose requests they are: S3's kind does not matter.
pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_TROUBLE = {
    "SlowDown": harms.error(503, "SlowDown"),
    "InternalError": harms.error(500, "InternalError"),
    "reset": harms.reset(commit=False),
}


def _says_wait(answer: httpx.Response) -> bool:
    told = answer.status_code, answer.json()["code"]
    return told == (503, "unavailable") and int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("trouble", _TROUBLE.values(), ids=_TROUBLE)
async def test_a_listing_is_asked_for_three_times(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    trouble: Harm,
) -> None:
    """Completing ends as it began: open, nothing assembled, the client told to wait."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(LIST, trouble, nth=None)

    refused = await complete(client, upload_id)
    row = await row_of(stores.pool, upload_id)
    asked = s3.count(LIST)
    s3.heal()
    answer = await complete(client, upload_id)

    assert _says_wait(refused)
    assert (asked, row.phase, row.lease_until) == (TRIES, Phase.UPLOADING, None)
    assert answer.status_code == 200
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_multipart_is_asked_for_three_times_and_the_upload_resumes(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """Its row stands already: the same request of the client goes on where this one ended."""
    s3.harm(CREATE, _TROUBLE["SlowDown"], nth=None)
    body = {"fileName": "data.bin", "fileSize": len(BODY), "fileType": ""}
    once = {"Idempotency-Key": "the-same-request"}

    refused = await client.post("/api/upload/init", json=body, headers=once)
    asked = s3.count(CREATE)
    s3.heal()
    answer = await client.post("/api/upload/init", json=body, headers=once)

    assert (_says_wait(refused), asked, s3.count(CREATE)) == (True, TRIES, TRIES + 1)
    assert answer.status_code in {200, 201}
    upload_id = answer.json()["uploadId"]
    await send(client, s3_http, upload_id, {0: BODY})
    assert (await complete(client, upload_id)).status_code == 200
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_completion_is_asked_for_once_and_its_proof_three_times(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """The answer is lost and S3 busy: not one CompleteMultipartUpload more, and 202."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(COMPLETE, harms.reset(commit=True), nth=None)
    s3.harm(HEAD, _TROUBLE["SlowDown"], nth=None)

    answer = await complete(client, upload_id)
    asked = {name: s3.count(name) for name in (LIST, COMPLETE, HEAD)}
    before = await written(stores, upload_id)
    s3.heal()
    await end_lease(stores, upload_id)
    again = await complete(client, upload_id)

    assert (answer.status_code, asked) == (202, {LIST: 1, COMPLETE: 1, HEAD: TRIES})
    assert before == NEVER
    assert (again.status_code, s3.count(COMPLETE)) == (200, 1)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_manifest_is_put_three_times_and_then_by_whoever_takes_over(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """The object stands in S3: it stays ASSEMBLING, and is not assembled again."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(PUT, _TROUBLE["InternalError"], nth=None)

    answer = await complete(client, upload_id)
    asked, before = s3.count(PUT), await written(stores, upload_id)
    row = await row_of(stores.pool, upload_id)
    s3.heal()
    await end_lease(stores, upload_id)
    again = await complete(client, upload_id)

    assert (_says_wait(answer), asked, before, row.phase) == (True, TRIES, NEVER, Phase.ASSEMBLING)
    assert (again.status_code, s3.count(COMPLETE)) == (200, 1)
    await check_completed_once(client, stores, s3, upload_id, BODY)


async def test_a_lost_answer_to_create_costs_a_multipart_and_no_upload(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3: HostileS3
) -> None:
    """S3 made one that nobody knows; the sweep finds it, the upload has another."""
    s3.harm(CREATE, harms.reset(commit=True))

    upload_id = await open_upload(client, len(BODY))
    await send(client, s3_http, upload_id, {0: BODY})
    answer = await complete(client, upload_id)

    assert (answer.status_code, s3.count(CREATE)) == (200, 2)
    await check_completed_once(client, stores, s3, upload_id, BODY)
