"""Versions that S3 does not let go: reported, tried again, and counted once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
import msgspec
import pytest
from litestar import Litestar

from coordinator.adapters import erasures
from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.operations.erase import erase
from coordinator.operations.request_erasure import request_erasure
from coordinator.settings import Settings
from tests.builders import complete, send_all, status
from tests.erasing import of_upload, s3_client, versioned_bucket
from tests.localstack import S3Address

_NOW: Final = timedelta(0)


@pytest.fixture
async def app(s3_server: S3Address, settings: Settings) -> AsyncIterator[Litestar]:
    """A service whose bucket can lock versions."""
    async with versioned_bucket(s3_server, locks=True) as name:
        service = create_app(msgspec.structs.replace(settings, s3_bucket=name))
        async with service.lifespan():
            yield service


async def _lock(stores: Stores, s3_server: S3Address, key: str, *, is_locked: bool) -> None:
    def lock() -> None:
        s3 = s3_client(s3_server)
        held = {"Status": "ON" if is_locked else "OFF"}
        s3.put_object_legal_hold(Bucket=stores.bucket.name, Key=key, LegalHold=held)
        s3.close()

    await asyncio.to_thread(lock)


async def test_a_locked_version_is_reported_and_erased_once_it_is_let_go(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, s3_server: S3Address
) -> None:
    """The upload is hidden meanwhile, and a worker does not go round in circles over it."""
    upload_id = await send_all(client, s3_http, [b"abc"])
    assert (await complete(client, upload_id)).status_code == 200
    key = (await status(client, upload_id))["filePath"]
    await _lock(stores, s3_server, key, is_locked=True)
    asked = await request_erasure(stores, of_upload(upload_id))

    rounds = [await erase(stores, long_pause=timedelta(hours=1)), await erase(stores)]
    async with stores.pool.connection() as conn:
        refused = await erasures.read(conn, asked.id, "default")
        await erasures.lease(conn, asked.id, _NOW)
    await _lock(stores, s3_server, key, is_locked=False)
    rounds.append(await erase(stores))
    async with stores.pool.connection() as conn:
        done = await erasures.read(conn, asked.id, "default")

    assert rounds == [1, 0, 1]
    assert (refused.finished_at, refused.report.refused, refused.report.remaining) == (None, 1, 1)
    assert (await client.get(f"/api/upload/status/{upload_id}")).status_code == 404
    assert done.finished_at is not None
    assert (done.report.objects, done.report.versions, done.report.refused) == (2, 2, 0)
    assert [each async for page in stores.bucket.list_versions(key) for each in page] == []
