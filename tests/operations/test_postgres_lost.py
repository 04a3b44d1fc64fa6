"""Postgres goes away in the middle of completing: the attempt gives its lease back."""

import httpx
import psycopg
import pytest

from coordinator import points
from tests.builders import SMALLEST, complete, send_all, some_bytes, status

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.mark.parametrize("lost_at", ["sealed", "compared", "after-complete", "manifest-put"])
async def test_an_attempt_that_lost_postgres_keeps_nobody_waiting(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    lost_at: str,
) -> None:
    """Its lease would last for minutes; the next request takes over at once."""
    upload_id = await send_all(client, s3_http, [some_bytes(SMALLEST), b"end"])

    def lose(point: str) -> None:
        if point == lost_at:
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(points, "passed", lose)
        refused = await complete(client, upload_id)
    between = await status(client, upload_id)
    answer = await complete(client, upload_id)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert between["status"] == "ASSEMBLING"
    assert answer.status_code == 200
