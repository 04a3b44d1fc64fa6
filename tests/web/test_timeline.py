"""``GET /api/uploads/{uploadId}/timeline``: what happened to an upload, in order."""

from typing import Any

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain import ids
from coordinator.domain.errors import UploadNotFoundError
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.web.driving import CHUNK, JOB_ID, NO_UPLOAD, TIME, completed, opened, problem, signed

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


async def _timeline(client: httpx.AsyncClient, upload_id: str) -> dict[str, Any]:
    answer = await client.get(f"/api/uploads/{upload_id}/timeline")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def _moment(what: str, detail: str | None = None, kind: str | None = None) -> dict[str, Any]:
    job_id = None if kind is None else JOB_ID
    return {"at": TIME, "what": what, "detail": detail, "jobId": job_id, "kind": kind}


async def test_an_open_upload_shows_how_fast_its_chunks_are_signed(
    client: httpx.AsyncClient,
) -> None:
    """A chunk that is asked for again counts once."""
    upload_id = await opened(client, 3 * CHUNK)
    parts = {index: bytes(CHUNK) for index in range(3)}
    await signed(client, upload_id, {0: parts[0], 1: parts[1]})
    await signed(client, upload_id, {1: parts[1], 2: parts[2]}, force=True)

    told = await _timeline(client, upload_id)

    assert told == {
        "uploadId": upload_id,
        "asOf": TIME,
        "expiresAt": TIME,
        "moments": [_moment("opened")],
        "signed": told["signed"],
    }
    assert [point["chunks"] for point in told["signed"]] in ([2, 1], [3])
    assert told["signed"] == sorted(told["signed"], key=lambda point: point["at"])


async def test_many_signings_are_few_points(client: httpx.AsyncClient, stores: Stores) -> None:
    """An upload of 10,000 chunks, signed one by one, is drawn by 121 points at most."""
    upload_id = await opened(client, 3)
    number = ids.decode(ids.UPLOAD, upload_id)
    async with stores.pool.connection() as conn:
        await conn.execute(
            """
            INSERT INTO signings (upload_id, generation, first_index, last_index, indexes, digests,
                                  signed_at)
            SELECT %s, 1, i, i, ARRAY[i], ARRAY[decode(repeat('ab', 32), 'hex')],
                   now() + i * interval '1 second' FROM generate_series(0, 9999) AS i
            """,
            [number],
        )

    told = await _timeline(client, upload_id)

    assert 100 <= len(told["signed"]) <= 121
    assert sum(point["chunks"] for point in told["signed"]) == 10_000


async def test_a_completed_upload_shows_its_end_and_its_jobs(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """In order, each job with its beginning and how it ended."""
    upload_id = await completed(client, s3_http, b'{"a": 1}\n')
    [job] = (await client.get(f"/api/uploads/{upload_id}/jobs")).json()["jobs"]
    number = ids.decode(ids.JOB, job["jobId"])
    assert number is not None
    await run_job(stores, settings, number)

    moments = (await _timeline(client, upload_id))["moments"]

    assert moments == [
        _moment("opened"),
        *[_moment("assembled")] * (len(moments) - 4),
        _moment("completed"),
        _moment("job-started", kind=job["kind"]),
        _moment("job-ended", "succeeded", job["kind"]),
    ]
    assert [each["at"] for each in moments] == sorted(each["at"] for each in moments)


async def test_a_failed_upload_shows_why(client: httpx.AsyncClient) -> None:
    """With the reason that status has."""
    upload_id = await opened(client, 3)
    await client.delete(f"/api/uploads/{upload_id}")

    told = await _timeline(client, upload_id)

    assert told["moments"] == [_moment("opened"), _moment("failed", "aborted")]


async def test_an_upload_that_is_not_there_has_none(client: httpx.AsyncClient) -> None:
    """As everywhere."""
    answer = await client.get(f"/api/uploads/{NO_UPLOAD}/timeline")

    assert (answer.status_code, answer.json()) == (
        404,
        problem(UploadNotFoundError, field="uploadId"),
    )
