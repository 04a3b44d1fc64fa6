"""Deliveries over the API and by command: what is dead is seen, and tried again."""

import json
import os
from collections.abc import AsyncIterator

import httpx
import pytest
from anyio import run_process
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.domain.deliveries import State
from coordinator.domain.errors import (
    DeliveryNotDeadError,
    DeliveryNotFoundError,
    InvalidFieldError,
    RoleMissingError,
)
from tests.conftest import MakeKey, client_of
from tests.sdk.installation import COORDINATOR
from tests.web.deliveries import a_delivery
from tests.web.driving import TIME, Like, problem
from tests.web.listening import served

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.fixture
async def operator(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever mends sinks."""
    async with client_of(app, await make_key(user="olga", roles=(Role.OPERATOR,))) as opened:
        yield opened


async def _listed(client: httpx.AsyncClient, **params: str) -> list[tuple[str, str]]:
    """Go through all pages and return events and sinks."""
    found: list[tuple[str, str]] = []
    while True:
        answer = await client.get("/api/deliveries", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [(each["eventId"], each["sink"]) for each in page["deliveries"]]
        if page["nextCursor"] is None:
            return found
        params = params | {"cursor": page["nextCursor"]}


async def test_an_operator_sees_what_is_dead_and_has_it_tried_again(
    operator: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Once: then it waits, and is no more dead."""
    event_id = await a_delivery(stores.pool, tenant)

    [dead] = (await operator.get("/api/deliveries?state=dead")).json()["deliveries"]
    retried = await operator.post(f"/api/deliveries/{event_id}/hook/retry")
    again = await operator.post(f"/api/deliveries/{event_id}/hook/retry")

    assert dead == {
        "eventId": event_id,
        "type": "upload.failed",
        "uploadId": Like("upl_.+"),
        "sink": "hook",
        "status": "dead",
        "attempt": 1,
        "lastError": "http-500",
        "createdAt": TIME,
        "nextAttemptAt": None,
        "deliveredAt": None,
    }
    assert retried.status_code == 202
    assert retried.json() == dead | {"status": "waiting", "nextAttemptAt": TIME}
    assert again.json() == problem(DeliveryNotDeadError, state="waiting")
    assert await _listed(operator, state="dead") == []
    assert await _listed(operator, state="waiting") == [(event_id, "hook")]


async def test_lists_are_the_tenants_filtered_and_paged(
    operator: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Newest first, each once, whatever the size of a page."""
    made = [
        await a_delivery(stores.pool, tenant, state=state, to=("a", "b"))
        for state in (State.DELIVERED, State.DEAD, State.WAITING)
    ]
    await a_delivery(stores.pool, f"not-{tenant}")
    both = {event_id: [(event_id, "a"), (event_id, "b")] for event_id in made}
    everything = both[made[2]] + both[made[1]] + both[made[0]]

    assert await _listed(operator) == everything
    for limit in ("1", "2", "3", "5", "6"):
        assert await _listed(operator, limit=limit) == everything
    for event_id, state in zip(made, ("delivered", "dead", "waiting"), strict=True):
        assert await _listed(operator, state=state, limit="1") == both[event_id]


@pytest.mark.parametrize(
    "path",
    [
        "evt_00000000000000000000000001/hook",
        "upl_00000000000000000000000001/hook",
        "x/hook",
        "{}/other",
        "{}/a%00b",
        "{}/A%20B",
    ],
)
async def test_what_is_not_there_cannot_be_tried_again(
    operator: httpx.AsyncClient, stores: Stores, tenant: str, path: str
) -> None:
    """No event, no such sink, no possible name."""
    event_id = await a_delivery(stores.pool, tenant)
    answer = await operator.post(f"/api/deliveries/{path.format(event_id)}/retry")

    assert answer.json() == problem(DeliveryNotFoundError, field="eventId")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "A" * 32, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
async def test_a_cursor_that_no_answer_had_is_refused(
    operator: httpx.AsyncClient, cursor: str
) -> None:
    """One whose sink has a NUL in it, too."""
    answer = await operator.get("/api/deliveries", params={"cursor": cursor})

    assert answer.json() == problem(InvalidFieldError, field="cursor")


async def test_uploaders_see_none_of_it(client: httpx.AsyncClient) -> None:
    """Where events go is not their business."""
    answer = await client.get("/api/deliveries")

    assert answer.status_code == 403
    assert answer.json()["code"] == RoleMissingError.code


async def test_the_command_lists_and_retries(
    app: Litestar, make_key: MakeKey, stores: Stores, tenant: str
) -> None:
    """A line each for people, JSON for scripts."""
    event_id = await a_delivery(stores.pool, tenant)
    key = await make_key(user="olga", roles=(Role.OPERATOR,))
    told = []
    async with served(app, key) as service:
        env = {"COORDINATOR_URL": str(service.http.base_url), "COORDINATOR_API_KEY": key}
        for words in (
            ["--state", "dead"],
            ["--retry", event_id, "--sink", "hook", "--json"],
            ["--state", "dead"],
            ["--retry", event_id],
        ):
            argv = [*COORDINATOR, "deliveries", *words]
            told.append(await run_process(argv, env={**os.environ, **env}, check=False))

    assert [each.returncode for each in told] == [0, 0, 0, 2]
    assert told[0].stdout.decode().split() == [
        *(event_id, "upload.failed", Like("upl_.+"), "hook", "dead", "attempts", "1", "http-500")
    ]
    assert json.loads(told[1].stdout)["status"] == "waiting"
    assert told[2].stdout == b""
    assert b"belong together" in told[3].stderr
