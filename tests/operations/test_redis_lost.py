"""Redis is a cache: losing all of it costs time and nothing else."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from coordinator.adapters.stores import Stores
from tests.builders import (
    SMALLEST,
    ask_urls,
    complete,
    cut,
    open_upload,
    send,
    some_bytes,
    status,
    tree,
)

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_CHUNKS = dict(enumerate(cut(some_bytes(SMALLEST + 3), SMALLEST)))

Step = Callable[[httpx.AsyncClient, httpx.AsyncClient, str], Awaitable[None]]


async def _sign(client: httpx.AsyncClient, _: httpx.AsyncClient, upload_id: str) -> None:
    assert (await ask_urls(client, upload_id, _CHUNKS)).status_code == 200


async def _send_first(client: httpx.AsyncClient, s3: httpx.AsyncClient, upload_id: str) -> None:
    await send(client, s3, upload_id, {0: _CHUNKS[0]})


async def _report(client: httpx.AsyncClient, _: httpx.AsyncClient, upload_id: str) -> None:
    body = {"uploadId": upload_id, "chunkIndex": 0, "totalChunks": 2}
    answer = await client.post("/api/upload/chunk", json=body)
    assert answer.status_code == 200
    assert answer.json()["status"] in {"uploaded", "already_uploaded"}


async def _look(client: httpx.AsyncClient, _: httpx.AsyncClient, upload_id: str) -> None:
    seen = await status(client, upload_id)
    assert (seen["missingChunks"], seen["failedChunks"]) == ([1], [])


async def _send_rest(client: httpx.AsyncClient, s3: httpx.AsyncClient, upload_id: str) -> None:
    await send(client, s3, upload_id, {1: _CHUNKS[1]})


_STEPS: list[Step] = [_sign, _send_first, _report, _look, _send_rest]


@pytest.mark.parametrize("lost_before", range(len(_STEPS) + 1))
async def test_an_upload_outlives_the_loss_of_redis_at_any_step(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, lost_before: int
) -> None:
    """What is asked next rebuilds the ledger from S3 and the signings."""
    upload_id = await open_upload(client, SMALLEST + 3, chunk_size=SMALLEST)

    for number, step in enumerate(_STEPS):
        if number == lost_before:
            await stores.ledger._redis.flushdb()
        await step(client, s3_http, upload_id)
    if lost_before == len(_STEPS):
        await stores.ledger._redis.flushdb()
    answer = await complete(client, upload_id)

    assert (answer.status_code, answer.json()["manifest"]["chunks"]) == (200, 2)


async def test_a_report_after_the_loss_still_knows_what_s3_holds(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """Chunk 0 is in S3 and known again; the count is right although nobody reported it twice."""
    upload_id = await open_upload(client, SMALLEST + 3, chunk_size=SMALLEST)
    await send(client, s3_http, upload_id, _CHUNKS)
    await stores.ledger._redis.flushdb()

    body = {"uploadId": upload_id, "chunks": [{"chunkIndex": 1}]}
    answer = await client.post("/api/upload/chunk", json=body)

    assert answer.json() == {
        "chunks": [{"chunkIndex": 1, "status": "already_uploaded"}],
        "progress": {"uploaded": 2, "total": 2, "percentage": 100.0},
    }


async def test_verify_repairs_a_ledger_that_is_wrong(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Chunk 0 was sent and not reported, chunk 1 reported and not sent."""
    upload_id = await open_upload(client, SMALLEST + 3, chunk_size=SMALLEST)
    await send(client, s3_http, upload_id, {0: _CHUNKS[0]})
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 1})

    before = (await status(client, upload_id))["missingChunks"]
    verified = await client.get(f"/api/upload/status/{upload_id}", params={"verify": "true"})
    after = (await status(client, upload_id))["missingChunks"]

    assert (before, verified.json()["missingChunks"], after) == ([0], [1], [1])


async def test_a_known_chunk_gets_no_url_unless_forced(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """A client that resumes need not send it again."""
    upload_id = await open_upload(client, SMALLEST + 3, chunk_size=SMALLEST)
    await send(client, s3_http, upload_id, {0: _CHUNKS[0]})
    await client.post("/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0})

    usual = (await ask_urls(client, upload_id, _CHUNKS)).json()["chunks"]
    forced = (await ask_urls(client, upload_id, _CHUNKS, force=True)).json()["chunks"]

    assert usual[0] == {"chunkIndex": 0, "status": "already_uploaded"}
    assert [each.get("method") for each in usual] == [None, "PUT"]
    assert [each.get("method") for each in forced] == ["PUT", "PUT"]


class TestWithoutRedis:
    """Nothing listens where Redis should be."""

    @pytest.fixture
    def environ(self, environ: dict[str, str], free_tcp_port: int) -> dict[str, str]:
        """Point the service at a port that nobody has."""
        return environ | {"COORDINATOR_REDIS_URL": f"redis://127.0.0.1:{free_tcp_port}/0"}

    async def test_an_upload_goes_its_whole_way(
        self, client: httpx.AsyncClient, s3_http: httpx.AsyncClient
    ) -> None:
        """Open, sign, send, look, complete, look again."""
        upload_id = await open_upload(client, SMALLEST + 3, chunk_size=SMALLEST)
        await send(client, s3_http, upload_id, {0: _CHUNKS[0]})
        halfway = await status(client, upload_id)
        refused = await complete(client, upload_id)
        await send(client, s3_http, upload_id, {1: _CHUNKS[1]})
        answer = await complete(client, upload_id)

        assert (halfway["missingChunks"], refused.json()["missingChunks"]) == ([1], [1])
        assert answer.json()["manifest"]["checksum"] == tree(_CHUNKS.values())
        assert (await status(client, upload_id))["progress"]["percentage"] == 100.0

    async def test_only_reports_are_refused_and_may_be_repeated(
        self, client: httpx.AsyncClient
    ) -> None:
        """Completion does not need them, and the answer says so."""
        upload_id = await open_upload(client, 3)

        body = {"uploadId": upload_id, "chunkIndex": 0}
        answer = await client.post("/api/upload/chunk", json=body)

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "completing does not need it" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "2"

    async def test_an_upload_can_be_aborted(self, client: httpx.AsyncClient) -> None:
        """Its keys, should there be any, end by their time to live."""
        upload_id = await open_upload(client, 3)

        assert (await client.delete(f"/api/uploads/{upload_id}")).status_code == 204
        assert (await status(client, upload_id))["reason"] == "aborted"
