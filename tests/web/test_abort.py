"""``DELETE /api/uploads/{uploadId}``."""

import httpx
import pytest

from coordinator.domain.errors import WrongPhaseError
from tests.web.driving import completed, opened, problem, sent, signed

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


async def test_an_aborted_upload_is_failed_and_aborting_again_is_harmless(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """204 both times: the client wanted it gone, and it is."""
    upload_id = await opened(client, 3)
    await sent(client, s3_http, upload_id, {0: b"abc"})

    answers = [await client.delete(f"/api/uploads/{upload_id}") for _ in "ab"]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2
    status = (await client.get(f"/api/upload/status/{upload_id}")).json()
    assert (status["status"], status["reason"]) == ("FAILED", "aborted")


async def test_nothing_can_be_done_with_an_aborted_upload(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Every way on says the phase and the reason; a URL signed before leads nowhere."""
    upload_id = await opened(client, 3)
    (entry,) = await signed(client, upload_id, {0: b"abc"})
    await client.delete(f"/api/uploads/{upload_id}")
    chunks = [{"chunkIndex": 0, "sha256": "ab" * 32}]

    answers = [
        await client.post("/api/upload/urls", json={"uploadId": upload_id, "chunks": chunks}),
        await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0}),
        await client.post("/api/upload/complete", json={"uploadId": upload_id}),
        await client.get(f"/api/uploads/{upload_id}/download"),
    ]
    late = await s3_http.put(entry["url"], headers=entry["headers"], content=b"abc")

    refused = problem(WrongPhaseError, phase="FAILED", reason="aborted")
    assert [(answer.status_code, answer.json()) for answer in answers] == [(409, refused)] * 4
    assert late.status_code == 404


async def test_a_completed_upload_is_not_aborted(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Its object is somebody's data by now."""
    upload_id = await completed(client, s3_http, b"abc")

    answer = await client.delete(f"/api/uploads/{upload_id}")

    assert (answer.status_code, answer.json()) == (
        409,
        problem(WrongPhaseError, phase="COMPLETED", reason=None),
    )


async def test_an_aborted_file_can_be_opened_anew(client: httpx.AsyncClient) -> None:
    """The same checksum finds open uploads only."""
    checksum = f"sha256:{'ab' * 32}"
    first = await opened(client, 3, checksum=checksum)
    await client.delete(f"/api/uploads/{first}")

    assert await opened(client, 3, checksum=checksum) != first
