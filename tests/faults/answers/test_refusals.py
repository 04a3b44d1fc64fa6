"""S3 refuses and has done nothing: the upload is open again, and nothing is lost."""

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.phases import Phase
from tests.builders import complete, row_of, send, send_all, status
from tests.faults import harms
from tests.faults.answers.proving import (
    BODY,
    check_completed_once,
)
from tests.faults.hostile_s3 import ABORT, COMPLETE, LIST, HostileS3


@pytest.mark.parametrize("cleans_up", [True, False])
async def test_a_conflict_begins_a_new_generation(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    *,
    cleans_up: bool,
) -> None:
    """409: chunks are asked for again. A clean-up that fails does not hide why."""
    upload_id = await send_all(client, s3_http, [BODY])
    old = await row_of(stores.pool, upload_id)
    s3.harm(COMPLETE, harms.error(409, "ConditionalRequestConflict"))
    if not cleans_up:
        s3.harm(ABORT, harms.error(403, "AccessDenied"))

    refused = await complete(client, upload_id)
    seen = await status(client, upload_id)
    await send(client, s3_http, upload_id, {0: BODY})
    new = await row_of(stores.pool, upload_id)
    answer = await complete(client, upload_id)

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "parts-missing")
    assert (problem["missingChunks"], seen["missingChunks"], seen["status"]) == (
        [0],
        [0],
        "UPLOADING",
    )
    assert (old.generation, new.generation, s3.count(ABORT)) == (1, 2, 1)
    assert s3.statuses(ABORT) == [204 if cleans_up else 403]
    assert new.multipart_id not in {None, old.multipart_id}
    assert answer.status_code == 200
    await check_completed_once(client, stores, s3, upload_id, BODY)


@pytest.mark.parametrize("commit", [True, False])
async def test_a_busy_s3_keeps_the_upload_open(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    *,
    commit: bool,
) -> None:
    """SlowDown: the client is told to wait. Should S3 have lied, the next attempt proves it."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(COMPLETE, harms.error(503, "SlowDown", commit=commit))

    refused = await complete(client, upload_id)
    row = await row_of(stores.pool, upload_id)
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (row.phase, row.lease_until, row.generation) == (Phase.UPLOADING, None, 1)
    assert (answer.status_code, s3.count(COMPLETE)) == (200, 1 if commit else 2)
    await check_completed_once(client, stores, s3, upload_id, BODY)


@pytest.mark.parametrize("operation", [COMPLETE, LIST])
@pytest.mark.parametrize("s3_code", ["RequestTimeTooSkewed", "AccessDenied"])
async def test_a_refusal_of_s3_opens_the_upload_again(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3: HostileS3,
    *,
    operation: str,
    s3_code: str,
) -> None:
    """The operator mends it, and the client completes: nothing is sent twice."""
    upload_id = await send_all(client, s3_http, [BODY])
    s3.harm(operation, harms.error(403, s3_code))

    refused = await complete(client, upload_id)
    row = await row_of(stores.pool, upload_id)
    answer = await complete(client, upload_id)

    is_clock = s3_code == "RequestTimeTooSkewed"
    expected = (503, "clock-off") if is_clock else (502, "store-refused")
    assert (refused.status_code, refused.json()["code"]) == expected
    assert (row.phase, row.lease_until, answer.status_code) == (Phase.UPLOADING, None, 200)
    await check_completed_once(client, stores, s3, upload_id, BODY)
