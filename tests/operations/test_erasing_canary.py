"""Nothing of an erased user can be read anywhere: a search through every table, key and version."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import msgspec
import pytest
from litestar import Litestar

from coordinator.adapters import erasures
from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.domain.erasures import Report
from coordinator.operations.erase import erase
from coordinator.operations.request_erasure import request_erasure
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.builders import (
    SMALLEST,
    complete,
    open_upload,
    rows,
    send,
    send_all,
    some_bytes,
    status,
    uuid_of,
)
from tests.conftest import MakeKey, client_of
from tests.erasing import Traces, of_user, s3_client, versioned_bucket
from tests.localstack import S3Address

_USER: Final = "canary-user"
_LINE: Final = b'{"canary-content": 1}\n'
_NEEDLES: Final = {
    "user": _USER,
    "name": "canary-name",
    "metadata": "canary-metadata",
    "content": "canary-content",
    "digest": hashlib.sha256(_LINE).hexdigest(),
}


@pytest.fixture
async def app(
    environ: dict[str, str], s3_server: S3Address, settings: Settings
) -> AsyncIterator[Litestar]:
    """A service whose bucket keeps every version."""
    del environ
    async with versioned_bucket(s3_server) as name:
        service = create_app(_in_bucket(settings, name))
        async with service.lifespan():
            yield service


def _in_bucket(settings: Settings, name: str) -> Settings:
    return msgspec.structs.replace(settings, s3_bucket=name)


@pytest.fixture
async def mallory(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key of the user who is going to be erased."""
    async with client_of(app, await make_key(user=_USER)) as opened:
        yield opened


async def _use_everything(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, settings: Settings
) -> str:
    """Leave traces: a finished upload with its job, one half sent and reported, one aborted."""
    wish: dict[str, Any] = {
        "fileName": "canary-name.jsonl",
        "fileType": "application/jsonl",
        "metadata": {"note": "canary-metadata"},
    }
    done = await send_all(client, s3_http, [_LINE], **wish)
    assert (await complete(client, done)).status_code == 200
    [job] = await rows(stores.pool, "SELECT id FROM jobs WHERE upload_id = %s", [uuid_of(done)])
    await run_job(stores, settings, job["id"])
    half = await open_upload(client, SMALLEST + len(_LINE), chunk_size=SMALLEST, **wish)
    await send(client, s3_http, half, {1: _LINE})
    report = {"uploadId": half, "chunks": [{"chunkIndex": 1}]}
    assert (await client.post("/api/upload/chunk", json=report)).status_code == 200
    gone = await open_upload(client, 1, **wish)
    assert (await client.delete(f"/api/uploads/{gone}")).status_code == 204
    return done


async def test_nothing_of_an_erased_user_is_left_but_a_pseudonym(
    *,
    app: Litestar,
    mallory: httpx.AsyncClient,
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    settings: Settings,
    s3_server: S3Address,
) -> None:
    """Every table of the database, every key of Redis, every version in S3; alice loses nothing."""
    stores: Stores = app.state.stores
    traces = Traces(stores, s3_server, settings.s3_prefix)
    theirs = await send_all(client, s3_http, [some_bytes(10)])
    await complete(client, theirs)
    done = await _use_everything(mallory, s3_http, stores, _in_bucket(settings, stores.bucket.name))
    key = (await status(mallory, done))["filePath"]
    s3 = s3_client(s3_server)
    s3.put_object(Bucket=stores.bucket.name, Key=key, Body=_LINE * 2)
    s3.delete_object(Bucket=stores.bucket.name, Key=key)
    folder = key.rpartition("/")[0]
    there = s3.list_object_versions(Bucket=stores.bucket.name, Prefix=folder)["Versions"]
    s3.close()
    before = await traces.of(_NEEDLES)
    [alias] = await rows(stores.pool, "SELECT pseudonym_of('default', %s) AS name", [_USER])

    asked = await request_erasure(stores, of_user(_USER))
    rounds = [await erase(stores), await erase(stores)]

    assert {place for found in before.values() for place in found} >= {
        *("uploads", "jobs", "signings", "manifests", "api_keys", "statistics", "pseudonyms"),
        *("redis", "object", "marker", "multipart"),
    }
    assert rounds == [1, 0]
    assert await traces.of(_NEEDLES) == {name: [] for name in _NEEDLES}
    assert await traces.of({"alias": alias["name"]}) == {"alias": ["audit"]}
    async with stores.pool.connection() as conn:
        report = (await erasures.read(conn, asked.id, "default")).report
    assert report == Report(
        uploads=3,
        # Its manifest, the card and the card's manifest: before the object there stands a marker.
        objects=3,
        versions=len(there) + 1,
        bytes=sum(each["Size"] for each in there),
        multiparts=1,
        manifests=1,
        jobs=1,
        queue_entries=1,
    )
    assert len(there) == 5
    assert (await status(client, theirs))["status"] == "COMPLETED"
