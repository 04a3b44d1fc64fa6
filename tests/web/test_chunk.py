"""``POST /api/upload/chunk``."""

from typing import Any

import httpx
import pytest

from coordinator.adapters import uploads
from coordinator.adapters.stores import Stores
from coordinator.domain.errors import BytesNotAcceptedError, InvalidFieldError, WrongPhaseError
from coordinator.domain.ids import UPLOAD, decode
from coordinator.domain.uploads import Upload
from tests.web.driving import CHUNK, completed, opened, problem, sent

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


async def _report(client: httpx.AsyncClient, upload_id: str, **body: Any) -> tuple[int, Any]:
    answer = await client.post("/api/upload/chunk", json={"uploadId": upload_id, **body})
    return answer.status_code, answer.json()


async def _row(stores: Stores, upload_id: str) -> Upload:
    known = decode(UPLOAD, upload_id)
    assert known is not None
    async with stores.pool.connection() as conn:
        return await uploads.read_any(conn, known)


async def test_a_chunk_is_new_once(client: httpx.AsyncClient) -> None:
    """The two answers are verbatim from the requirements."""
    upload_id = await opened(client, 3 * CHUNK)
    etag = "5d41402abc4b2a76b9719d911017c592"

    answers = [
        await _report(client, upload_id, chunkIndex=1, etag=etag, totalChunks=3) for _ in "ab"
    ]

    assert answers == [
        (
            200,
            {
                "chunkIndex": 1,
                "status": "uploaded",
                "progress": {"uploaded": 1, "total": 3, "percentage": 33.33},
            },
        ),
        (
            200,
            {
                "chunkIndex": 1,
                "status": "already_uploaded",
                "message": "Chunk already uploaded successfully",
            },
        ),
    ]


@pytest.mark.parametrize(
    ("total", "percentages"),
    [(1, [100.0]), (3, [33.33, 66.67, 100.0]), (7, [14.29, 28.57, 42.86, 57.14])],
)
async def test_percentages_have_two_decimals(
    client: httpx.AsyncClient, total: int, percentages: list[float]
) -> None:
    """0 to 100, and 100 only when all are there."""
    upload_id = await opened(client, total * CHUNK)

    answers = [await _report(client, upload_id, chunkIndex=i) for i in range(len(percentages))]

    assert [body["progress"]["percentage"] for _, body in answers] == percentages


async def test_nearly_all_chunks_are_not_a_hundred_percent(client: httpx.AsyncClient) -> None:
    """9,999 of 10,000 is the largest share below it."""
    upload_id = await opened(client, 10_000 * CHUNK)
    for first in range(0, 10_000, 1_000):
        many = [{"chunkIndex": first + i} for i in range(1_000 if first < 9_000 else 999)]
        status, body = await _report(client, upload_id, chunks=many)
        assert status == 200

    assert body["progress"] == {"uploaded": 9_999, "total": 10_000, "percentage": 99.99}


async def test_many_chunks_are_reported_at_once(client: httpx.AsyncClient) -> None:
    """In the request's order, known ones among them."""
    upload_id = await opened(client, 4 * CHUNK)
    await _report(client, upload_id, chunkIndex=2)

    answer = await _report(
        client, upload_id, chunks=[{"chunkIndex": 3, "etag": "e"}, {"chunkIndex": 2}]
    )

    assert answer == (
        200,
        {
            "chunks": [
                {"chunkIndex": 3, "status": "uploaded"},
                {"chunkIndex": 2, "status": "already_uploaded"},
            ],
            "progress": {"uploaded": 2, "total": 4, "percentage": 50.0},
        },
    )


async def test_a_failed_chunk_is_failed_until_it_is_reported_again(
    client: httpx.AsyncClient,
) -> None:
    """Whoever watches sees which chunks have trouble."""
    upload_id = await opened(client, 2 * CHUNK)

    failed = await _report(
        client, upload_id, chunkIndex=0, error={"status": 503, "code": "SlowDown"}
    )
    during = (await client.get(f"/api/upload/status/{upload_id}")).json()
    again = await _report(client, upload_id, chunkIndex=0)
    after = (await client.get(f"/api/upload/status/{upload_id}")).json()

    progress = {"uploaded": 0, "total": 2, "percentage": 0.0}
    assert failed == (200, {"chunkIndex": 0, "status": "failed", "progress": progress})
    assert (during["failedChunks"], during["missingChunks"]) == ([0], [0, 1])
    assert again[1]["status"] == "uploaded"
    assert (after["failedChunks"], after["missingChunks"]) == ([], [1])


@pytest.mark.parametrize("data", ["aGVsbG8=", None, "", {"any": "thing"}])
async def test_bytes_are_not_accepted(client: httpx.AsyncClient, data: object) -> None:
    """Whatever stands in `data`: the answer says where bytes go."""
    upload_id = await opened(client, 3)

    assert await _report(client, upload_id, chunkIndex=0, data=data) == (
        422,
        problem(BytesNotAcceptedError, field="data", use="/api/upload/urls"),
    )


async def test_a_wrong_total_is_refused(client: httpx.AsyncClient) -> None:
    """A client that cuts the file in another way must learn of it early."""
    upload_id = await opened(client, 3 * CHUNK)

    assert await _report(client, upload_id, chunkIndex=0, totalChunks=4) == (
        422,
        problem(InvalidFieldError, field="totalChunks"),
    )


async def test_of_many_chunks_all_or_none_are_noted(client: httpx.AsyncClient) -> None:
    """One index out of range refuses the batch."""
    upload_id = await opened(client, 2 * CHUNK)

    answer = await _report(client, upload_id, chunks=[{"chunkIndex": 0}, {"chunkIndex": 2}])

    assert answer == (422, problem(InvalidFieldError, field="chunkIndex"))
    status = (await client.get(f"/api/upload/status/{upload_id}")).json()
    assert status["missingChunks"] == [0, 1]


async def test_a_report_after_redis_forgot_asks_s3_first(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Redis is a cache: what S3 has counts as uploaded, reported or not."""
    upload_id = await opened(client, 3 * CHUNK)
    await sent(client, s3_http, upload_id, {0: b"a" * CHUNK})
    await stores.ledger.forget(await _row(stores, upload_id))

    status, body = await _report(client, upload_id, chunkIndex=2)

    assert (status, body["progress"]["uploaded"]) == (200, 2)


async def test_a_finished_upload_takes_no_reports(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """They would say nothing that S3 has not proven."""
    upload_id = await completed(client, s3_http, b"abc")

    status, body = await _report(client, upload_id, chunkIndex=0)

    assert (status, body) == (409, problem(WrongPhaseError, phase="COMPLETED", reason=None))
