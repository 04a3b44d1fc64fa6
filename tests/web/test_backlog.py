"""``GET /api/health``: what waits and who works, as operators see it."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.domain.deliveries import State
from tests.conftest import MakeKey, client_of
from tests.web.deliveries import a_delivery
from tests.web.driving import TIME, completed, opened

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PATH: Final = "/api/health"


@pytest.fixture
async def operator(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the tenant's operator."""
    async with client_of(app, await make_key(user="ops", roles=(Role.OPERATOR,))) as opened_client:
        yield opened_client


@pytest.fixture
async def workers(stores: Stores) -> AsyncIterator[dict[str, int]]:
    """Two workers in the queue's table: one of now, and one that was last heard of an hour ago."""
    made = {}
    async with stores.pool.connection() as conn:
        for name, age in (("alive", "0"), ("lost", "1 hour")):
            cursor = await conn.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat) "
                "VALUES (now() - %s::interval) RETURNING id",
                [age],
            )
            row = await cursor.fetchone()
            assert row is not None
            made[name] = row["id"]
    yield made
    async with stores.pool.connection() as conn:
        await conn.execute("DELETE FROM procrastinate_workers")


def _without_age(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ages = [entry.pop("oldestSeconds") for entry in entries]
    assert all(0 <= age < 60 for age in ages if age is not None)
    return [{**entry, "waits": age is not None} for entry, age in zip(entries, ages, strict=True)]


async def test_nothing_waits_where_nothing_happened(
    operator: httpx.AsyncClient, workers: dict[str, int]
) -> None:
    """Workers are everybody's; one that was not heard of for 30 s is said to be gone."""
    answer = await operator.get(_PATH)

    told = [
        {"worker": workers[name], "lastHeartbeatAt": TIME, "isAlive": name == "alive"}
        for name in ("alive", "lost")
    ]
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "redis": "ok",
            "workers": told,
            "openUploads": {"INIT": 0, "UPLOADING": 0, "ASSEMBLING": 0},
            "queues": [],
            "sinks": [],
        },
    )


async def test_what_waits_is_counted_by_kind_and_sink(
    *,
    operator: httpx.AsyncClient,
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    tenant: str,
) -> None:
    """Of the tenant alone: another's jobs and deliveries are not its operators' business."""
    ids = [await completed(client, s3_http, data) for data in (b"a", b"bb")]
    await opened(client, 5)
    await a_delivery(stores.pool, tenant, to=("hook",))
    await a_delivery(stores.pool, tenant, state=State.WAITING, to=("hook", "other"))
    await a_delivery(stores.pool, f"{tenant}-other", to=("theirs",))
    async with stores.pool.connection() as conn:
        first = (await client.get(f"/api/uploads/{ids[0]}/jobs")).json()["jobs"][0]
        await conn.execute(
            "UPDATE jobs SET state = 'running', started_at = now() "
            "WHERE kind = %s AND upload_id IN (SELECT id FROM uploads WHERE tenant = %s "
            "ORDER BY created_at LIMIT 1)",
            [first["kind"], tenant],
        )

    told = (await operator.get(_PATH)).json()

    assert _without_age(told["queues"]) == [
        {"kind": first["kind"], "queued": 1, "running": 1, "waits": True}
    ]
    assert _without_age(told["sinks"]) == [
        {"sink": "hook", "waiting": 1, "dead": 1, "waits": True},
        {"sink": "other", "waiting": 1, "dead": 0, "waits": True},
    ]
    assert told["openUploads"]["INIT"] >= 1


async def test_another_tenant_sees_nothing_of_it(
    app: Litestar,
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    make_key: MakeKey,
    tenant: str,
) -> None:
    """Neither counts nor kinds."""
    await completed(client, s3_http, b"abc")
    key = await make_key(tenant=f"{tenant}-other", roles=(Role.OPERATOR,))
    async with client_of(app, key) as stranger:
        told = (await stranger.get(_PATH)).json()

    assert (told["queues"], told["sinks"]) == ([], [])
    assert set(told["openUploads"].values()) == {0}
