"""Kill -9 of a worker around a send: the sink hears of the event all the same, by the same id."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from coordinator.adapters import events
from coordinator.adapters.postgres import transaction
from coordinator.adapters.sinks import open_outlet
from coordinator.adapters.stores import Stores
from coordinator.domain.events import upload_failed
from coordinator.operations.deliver_event import deliver_due
from coordinator.points import TELLING
from tests.adapters.sinks.receiver import SECRET, Receiver, receiving
from tests.builders import add_upload, rows
from tests.faults.delivering import deliver_until_killed

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

# How often the receiver heard of the event from the worker that was killed.
_HEARD: Final = {"event-claimed": 0, "event-sent": 1}
_AWS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Takes each id once."""
    async with receiving() as running:
        yield running


@pytest.fixture
def environ(environ: dict[str, str], receiver: Receiver) -> dict[str, str]:
    """Settings with a sink, and what a forked worker needs besides."""
    sink = {"name": "hook", "kind": "http", "url": receiver.url, "secret": SECRET}
    sinks = json.dumps([sink | {"allowPrivate": True}])
    return environ | {"COORDINATOR_EVENT_SINKS": sinks}


@pytest.mark.parametrize("point", TELLING)
async def test_a_worker_that_was_killed_leaves_the_event_to_the_next(
    stores: Stores, receiver: Receiver, environ: dict[str, str], tmp_path: Path, point: str
) -> None:
    """After its lease: until then nobody else can know that it is dead."""
    upload = await add_upload(stores.pool)
    async with transaction(stores.pool) as tx:
        await events.add(tx, stores.sinks, upload_failed(upload, reason="aborted"))
    environ = environ | {name: os.environ[name] for name in _AWS}

    code = await deliver_until_killed(environ, point, tmp_path / "worker.log")
    heard = len(receiver.ids)
    async with open_outlet(stores.sinks.all[0]) as outlet:
        early = await deliver_due(stores, outlet)
        time_passes = "UPDATE deliveries SET next_at = now() RETURNING attempt, state"
        left = await rows(stores.pool, time_passes)
        await deliver_due(stores, outlet)

    assert (code, heard, early) == (-9, _HEARD[point], 0)
    assert left == [{"attempt": 1, "state": "waiting"}]
    assert len(receiver.ids) == heard + 1
    assert len(set(receiver.ids)) == len(receiver.accepted) == 1
    after = await rows(stores.pool, "SELECT attempt, state FROM deliveries")
    assert after == [{"attempt": 2, "state": "delivered"}]
