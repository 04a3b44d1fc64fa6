"""``GET /api/uploads``."""

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Scope
from coordinator.domain.errors import InvalidFieldError
from tests.conftest import MakeKey, client_of
from tests.web.driving import TIME, opened, problem, signed

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


async def _pages(client: httpx.AsyncClient, limit: int) -> list[list[str]]:
    pages: list[list[str]] = []
    params: dict[str, str | int] = {"limit": limit}
    while True:
        answer = (await client.get("/api/uploads", params=params)).json()
        pages.append([each["uploadId"] for each in answer["uploads"]])
        if answer["nextCursor"] is None:
            return pages
        params["cursor"] = answer["nextCursor"]


async def test_the_list_shows_the_callers_uploads_newest_first(client: httpx.AsyncClient) -> None:
    """Whole entries; the last page has no cursor."""
    first, second = [await opened(client, size) for size in (1, 2)]
    await client.delete(f"/api/uploads/{first}")

    answer = await client.get("/api/uploads")

    shown = {
        "userId": "alice",
        "fileName": "data.jsonl",
        "fileType": "application/jsonl",
        "createdAt": TIME,
        "updatedAt": TIME,
    }
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "uploads": [
                shown | {"uploadId": second, "fileSize": 2, "status": "INIT", "reason": None},
                shown | {"uploadId": first, "fileSize": 1, "status": "FAILED", "reason": "aborted"},
            ],
            "nextCursor": None,
        },
    )


async def test_the_list_can_be_narrowed_to_a_phase(client: httpx.AsyncClient) -> None:
    """Operators look for what hangs."""
    waiting, signing = [await opened(client, size) for size in (1, 2)]
    await signed(client, signing, {0: b"ab"})

    answers = {
        phase: [
            each["uploadId"]
            for each in (await client.get("/api/uploads", params={"status": phase})).json()[
                "uploads"
            ]
        ]
        for phase in ("INIT", "UPLOADING", "ASSEMBLING", "COMPLETED", "FAILED")
    }

    assert answers == {
        "INIT": [waiting],
        "UPLOADING": [signing],
        "ASSEMBLING": [],
        "COMPLETED": [],
        "FAILED": [],
    }


@pytest.mark.parametrize("same_time", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_lose_and_double_no_row(
    client: httpx.AsyncClient, stores: Stores, tenant: str, *, limit: int, same_time: bool
) -> None:
    """Also where a burst of uploads has one timestamp: the cursor then goes on by id."""
    ids = {await opened(client, size) for size in range(6)}
    if same_time:
        async with stores.pool.connection() as conn:
            await conn.execute(
                "UPDATE uploads SET created_at = '2026-01-02T03:04:05.678901Z' WHERE tenant = %s",
                [tenant],
            )

    pages = await _pages(client, limit)

    assert [len(page) for page in pages] == [min(limit, 6 - at) for at in range(0, 6, limit)]
    listed = [upload_id for page in pages for upload_id in page]
    assert (len(listed), set(listed)) == (6, ids)
    assert listed == [upload_id for page in await _pages(client, 100) for upload_id in page]


async def test_a_row_added_meanwhile_disturbs_no_later_page(client: httpx.AsyncClient) -> None:
    """Pages go on from a row, not from a number."""
    ids = [await opened(client, size) for size in range(4)]
    first = (await client.get("/api/uploads", params={"limit": 2})).json()
    await opened(client, 9)

    params = {"limit": 2, "cursor": first["nextCursor"]}
    second = (await client.get("/api/uploads", params=params)).json()

    listed = [each["uploadId"] for each in first["uploads"] + second["uploads"]]
    assert listed == ids[::-1]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "9" * 400}, "limit"),
        ({"status": "completed"}, "status"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "ü"}, "cursor"),
        ({"cursor": "_" * 32}, "cursor"),
        ({"cursor": "\x00"}, "cursor"),
        ({"cursor": "A" * 101}, "cursor"),
    ],
)
async def test_a_filter_that_cannot_be_used_is_refused(
    client: httpx.AsyncClient, params: dict[str, str], field: str
) -> None:
    """An answer without it would look like the right one."""
    answer = await client.get("/api/uploads", params=params)

    assert (answer.status_code, answer.json()) == (422, problem(InvalidFieldError, field=field))


async def test_users_see_their_own_and_act_as_sees_the_tenants(
    app: Litestar, client: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """And nobody another tenant's."""
    own = await opened(client, 1)
    async with client_of(app, await make_key(user="bob")) as bob:
        his = await opened(bob, 1)
        seen_by_bob = await _pages(bob, 10)
    async with client_of(app, await make_key(user="backend", scopes=(Scope.ACT_AS,))) as backend:
        seen_by_backend = await _pages(backend, 10)
    other_key = await make_key(tenant="another", scopes=(Scope.ACT_AS,))
    async with client_of(app, other_key) as other:
        seen_by_other = await _pages(other, 10)

    assert await _pages(client, 10) == [[own]]
    assert seen_by_bob == [[his]]
    assert seen_by_backend == [[his, own]]
    assert seen_by_other == [[]]
