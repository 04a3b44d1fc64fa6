"""Events of an erased upload go with it; that it was erased is told by its id alone."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from coordinator.adapters.sinks import Outlet, open_outlet
from coordinator.adapters.stores import Stores
from coordinator.operations.deliver_event import deliver_due
from coordinator.operations.erase import erase
from coordinator.operations.request_erasure import request_erasure
from tests.adapters.sinks.receiver import SECRET, Receiver, receiving
from tests.builders import complete, rows, send_all
from tests.erasing import of_upload, of_user

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Who wants to hear of everything."""
    async with receiving() as running:
        yield running


@pytest.fixture
def environ(environ: dict[str, str], receiver: Receiver) -> dict[str, str]:
    """Settings with a sink."""
    sink = {"name": "hook", "kind": "http", "url": receiver.url, "secret": SECRET}
    return environ | {"COORDINATOR_EVENT_SINKS": json.dumps([sink | {"allowPrivate": True}])}


@pytest.fixture
async def outlet(stores: Stores) -> AsyncIterator[Outlet]:
    """The sink, opened."""
    async with open_outlet(stores.sinks.all[0]) as opened:
        yield opened


async def _completed(client: httpx.AsyncClient, s3_http: httpx.AsyncClient) -> str:
    upload_id = await send_all(client, s3_http, [b"abc"], fileName="alice.txt")
    assert (await complete(client, upload_id)).status_code == 200
    return upload_id


async def test_what_waits_is_not_sent_once_an_erasure_has_begun(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    receiver: Receiver,
    outlet: Outlet,
) -> None:
    """Nobody hears afterwards what the file was called, or whose it was."""
    upload_id = await _completed(client, s3_http)
    await request_erasure(stores, of_upload(upload_id))
    assert await deliver_due(stores, outlet) == 0

    await erase(stores)
    await deliver_due(stores, outlet)

    [event] = receiver.accepted.values()
    assert event.get_type() == "coordinator.upload.erased"
    assert event.get_data() == {"uploadId": upload_id, "tenant": "default"}
    kept = await rows(stores.pool, "SELECT type, body::text AS body FROM events")
    assert [row["type"] for row in kept] == ["upload.erased"]
    assert "alice" not in kept[0]["body"]


async def test_what_was_sent_is_gone_too_and_the_erasure_is_told_once(
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    receiver: Receiver,
    outlet: Outlet,
) -> None:
    """Whoever goes through it again finds nothing to tell."""
    await _completed(client, s3_http)
    await deliver_due(stores, outlet)
    await request_erasure(stores, of_user("alice"))
    await erase(stores)
    await erase(stores)
    await deliver_due(stores, outlet)

    told = [event.get_type() for event in receiver.accepted.values()]
    assert told == ["coordinator.upload.completed", "coordinator.upload.erased"]
    assert len(receiver.ids) == 2
    assert len(await rows(stores.pool, "SELECT sink FROM deliveries")) == 1
