"""``/metrics``: the names and labels that dashboards stand on."""

from typing import Final

import httpx
import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from coordinator.adapters.stores import Stores
from tests.conftest import client_of
from tests.web.driving import completed, opened, signed

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_LABELS: Final[dict[str, set[str]]] = {
    "uploads_total": {"status", "file_type"},
    "upload_bytes_total": {"file_type"},
    "upload_duration_seconds_bucket": {"le"},
    "upload_duration_seconds_sum": set(),
    "chunks_uploaded_total": {"status"},
    "active_uploads": set(),
    "http_request_duration_seconds_bucket": {"method", "route", "status", "le"},
    "signing_duration_seconds_bucket": {"le"},
    "s3_request_duration_seconds_bucket": {"operation", "outcome", "le"},
}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def _samples(app: Litestar) -> Samples:
    async with client_of(app, None) as nobody:
        answer = await nobody.get("/metrics")
    assert answer.status_code == 200
    # Said twice, the charset would be no part of the format that scrapers know.
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, frozenset(labels.items()))
    return after[key] - before.get(key, 0.0)


async def test_an_upload_is_counted_under_the_promised_names(
    app: Litestar, client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """One upload of 7 bytes, one chunk of it reported twice and one failed."""
    before = await _samples(app)

    await completed(client, s3_http, b"7 bytes", fileType="text/csv; charset=utf-8")
    upload_id = await opened(client, 3, fileType="strange/thing")
    await signed(client, upload_id, {0: b"abc"})
    reports: list[dict[str, object]] = [{}, {}, {"error": {}}]
    for report in reports:
        await client.post(
            "/api/upload/chunk", json={"uploadId": upload_id, "chunkIndex": 0, **report}
        )
    await client.delete(f"/api/uploads/{upload_id}")

    after = await _samples(app)
    assert _grown(before, after, "uploads_total", status="opened", file_type="csv") == 1
    assert _grown(before, after, "uploads_total", status="completed", file_type="csv") == 1
    assert _grown(before, after, "uploads_total", status="aborted", file_type="other") == 1
    assert _grown(before, after, "upload_bytes_total", file_type="csv") == 7
    assert _grown(before, after, "upload_duration_seconds_count") == 1
    assert _grown(before, after, "chunks_uploaded_total", status="uploaded") == 1
    assert _grown(before, after, "chunks_uploaded_total", status="already_uploaded") == 1
    assert _grown(before, after, "chunks_uploaded_total", status="failed") == 1
    assert _grown(before, after, "signing_duration_seconds_count") == 2


async def test_labels_are_the_promised_ones_and_name_nobody(
    app: Litestar, client: httpx.AsyncClient, s3_http: httpx.AsyncClient, tenant: str
) -> None:
    """A label that grows with users or uploads ends the monitoring."""
    upload_id = await completed(client, s3_http, b"abc")
    await client.get(f"/api/uploads/{upload_id}x/manifest")
    await client.get(f"/api/nothing/{upload_id}")
    await client.request("BREW", "/api/uploads")

    samples = await _samples(app)

    shown = {name: {key for key, _ in labels} for name, labels in samples if name in _LABELS}
    assert shown == _LABELS
    values = " ".join(value for _, labels in samples for _, value in labels)
    assert [word for word in (upload_id, "upl_0", "alice", tenant, "BREW") if word in values] == []


async def test_active_uploads_is_true_to_postgres(
    app: Litestar, client: httpx.AsyncClient, stores: Stores
) -> None:
    """Also of what other processes did: it is read there, not counted here."""
    first, second = [await opened(client, 1) for _ in "ab"]
    async with stores.pool.connection() as conn:
        opening = await _active(app)
        await conn.execute(
            "UPDATE uploads SET phase = 'FAILED', reason = 'expired', finished_at = now()"
            " WHERE object_key LIKE %s",
            [f"%{second}%"],
        )
        ended = await _active(app)
        row = await (
            await conn.execute(
                "SELECT count(*) AS n FROM uploads WHERE phase NOT IN ('COMPLETED', 'FAILED')"
            )
        ).fetchone()

    assert (opening - ended, row) == (1, {"n": ended})
    assert (await client.delete(f"/api/uploads/{first}")).status_code == 204
    assert await _active(app) == ended - 1


async def _active(app: Litestar) -> float:
    return (await _samples(app))["active_uploads", frozenset()]
