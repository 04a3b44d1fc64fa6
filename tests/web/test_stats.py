"""Statistics: counted as things happen, shown to whom they concern."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role, Scope
from coordinator.domain.errors import ForbiddenError, InvalidFieldError
from tests.conftest import MakeKey, client_of
from tests.web.driving import completed, opened, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

As = Callable[..., Awaitable[httpx.AsyncClient]]
_ALL: Final = {"from": "2026-01-01", "to": "2026-03-31"}


@pytest.fixture
async def as_whom(app: Litestar, make_key: MakeKey) -> AsyncIterator[As]:
    """Return a function that makes a client with a new key."""
    async with AsyncExitStack() as stack:

        async def enter(*roles: Role, **fields: Any) -> httpx.AsyncClient:
            key = await make_key(roles=roles or (Role.VIEWER,), **fields)
            return await stack.enter_async_context(client_of(app, key))

        yield enter


async def _counted(stores: Stores, tenant: str) -> None:
    """Put counts of some days into the table, as if they had been then."""
    rows = [
        ("2026-01-30", "alice", "text/csv", 2, 1, 1, 10),
        ("2026-01-31", "alice", "text/csv", 1, 1, 0, 5),
        ("2026-01-31", "bob", "text/csv", 1, 0, 0, 0),
        ("2026-02-01", "alice", "image/png", 0, 1, 0, 7),
    ]
    async with stores.pool.connection() as conn:
        for day, user, kind, *counts in rows:
            await conn.execute(
                """
                INSERT INTO statistics (tenant, day, user_id, file_type, opened, completed, failed,
                                        bytes) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
                """,
                [tenant, day, user, kind, *counts],
            )


def _row(key: str, period: str, *counts: int) -> dict[str, Any]:
    names = ("opened", "completed", "failed", "bytes")
    return {"key": key, "period": period, **dict(zip(names, counts, strict=True))}


async def _rows(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/stats", params={**_ALL, **params})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


async def test_uploads_are_counted_as_they_open_and_end(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Without parameters: the last 30 days, by user, day by day."""
    await completed(client, s3_http, b"abc")
    aborted = await opened(client, 7)
    await client.delete(f"/api/uploads/{aborted}")
    await opened(client, 9, fileType="Text/CSV; charset=utf-8")

    answer = (await client.get("/api/stats")).json()
    today = answer["to"]
    by_type = (await client.get("/api/stats?by=fileType")).json()["rows"]

    assert answer == {
        "by": "userId",
        "from": answer["from"],
        "to": today,
        "every": "day",
        "rows": [_row("alice", today, 3, 1, 1, 3)],
        "nextCursor": None,
    }
    first, last = (datetime.fromisoformat(answer[name]) for name in ("from", "to"))
    assert (last - first).days == 29
    assert abs(datetime.now(UTC) - last.replace(tzinfo=UTC)).days <= 1
    assert by_type == [
        _row("application/jsonl", today, 2, 1, 1, 3),
        _row("text/csv", today, 1, 0, 0, 0),
    ]


async def test_counts_are_summed_by_key_and_period(
    stores: Stores, tenant: str, as_whom: As
) -> None:
    """By day or by month, and only within the days that are asked for."""
    await _counted(stores, tenant)
    viewer = await as_whom()

    by_user = await _rows(viewer, every="month")
    by_type = await _rows(viewer, by="fileType", to="2026-01-31")
    by_tenant = await _rows(viewer, by="tenant", every="month", **{"from": "2026-01-31"})

    assert by_user == [
        _row("alice", "2026-01", 3, 2, 1, 15),
        _row("bob", "2026-01", 1, 0, 0, 0),
        _row("alice", "2026-02", 0, 1, 0, 7),
    ]
    assert by_type == [
        _row("text/csv", "2026-01-30", 2, 1, 1, 10),
        _row("text/csv", "2026-01-31", 2, 1, 0, 5),
    ]
    assert by_tenant == [_row(tenant, "2026-01", 2, 1, 0, 5), _row(tenant, "2026-02", 0, 1, 0, 7)]


async def test_pages_come_after_each_other(stores: Stores, tenant: str, as_whom: As) -> None:
    """Two rows of one period stand on two pages, none twice and none lost."""
    await _counted(stores, tenant)
    viewer = await as_whom()
    found: list[dict[str, Any]] = []
    params: dict[str, str] = {**_ALL, "limit": "1"}

    for _page in range(4):
        answer = (await viewer.get("/api/stats", params=params)).json()
        found += answer["rows"]
        params["cursor"] = answer["nextCursor"]

    assert answer["nextCursor"] is None
    assert [(row["period"], row["key"]) for row in found] == [
        ("2026-01-30", "alice"),
        ("2026-01-31", "alice"),
        ("2026-01-31", "bob"),
        ("2026-02-01", "alice"),
    ]


async def test_an_uploader_counts_itself_only(stores: Stores, tenant: str, as_whom: As) -> None:
    """Whatever the rows are of; a backend counts its tenant's."""
    await _counted(stores, tenant)
    bob = await as_whom(Role.UPLOADER, user="bob")
    backend = await as_whom(Role.UPLOADER, user="app", scopes=(Scope.ACT_AS,))

    assert await _rows(bob) == [_row("bob", "2026-01-31", 1, 0, 0, 0)]
    assert await _rows(bob, by="tenant") == [_row(tenant, "2026-01-31", 1, 0, 0, 0)]
    assert len(await _rows(backend)) == 4


async def test_all_tenants_are_for_whom_may_name_them(
    stores: Stores, tenant: str, as_whom: As
) -> None:
    """Others see their own row, and may not name another."""
    other = f"{tenant}-other"
    await _counted(stores, tenant)
    await _counted(stores, other)
    admin = await as_whom(Role.ADMIN)
    installer = await as_whom(Role.ADMIN, scopes=(Scope.EVERY_TENANT,))
    here = {"by": "tenant", "every": "month"}

    own = {row["key"] for row in await _rows(admin, **here)}
    every = {row["key"] for row in await _rows(installer, **here)}
    named = {row["key"] for row in await _rows(installer, **here, tenant=other)}
    users = {row["key"] for row in await _rows(installer)}
    refused = await admin.get("/api/stats", params={"tenant": other})

    assert (own, named, users) == ({tenant}, {other}, {"alice", "bob"})
    assert {tenant, other} <= every
    assert refused.json() == problem(ForbiddenError, field="tenant", scope="every-tenant")


async def test_a_user_of_the_same_name_elsewhere_is_somebody_else(as_whom: As) -> None:
    """The scope lets an admin look into tenants; an uploader has itself only, in one."""
    uploader = await as_whom(Role.UPLOADER, scopes=(Scope.EVERY_TENANT,))

    refused = await uploader.get("/api/stats", params={"tenant": "elsewhere"})

    assert refused.json() == problem(ForbiddenError, field="tenant")


@pytest.mark.parametrize(
    ("name", "value"),
    [("from", "2026-02-30"), ("to", "today"), ("cursor", "AAAA"), ("from", "%00")],
)
async def test_what_is_no_day_or_cursor_is_refused(
    client: httpx.AsyncClient, name: str, value: str
) -> None:
    """By name, as a problem."""
    answer = await client.get(f"/api/stats?{name}={value}")

    assert answer.json() == problem(InvalidFieldError, field=name)


@pytest.mark.parametrize("query", ["by=size", "every=year", "limit=0", "limit=1001", "tenant=%00"])
async def test_other_parameters_are_checked(client: httpx.AsyncClient, query: str) -> None:
    """None of them reaches the database."""
    answer = await client.get(f"/api/stats?{query}")

    assert answer.status_code in {400, 403, 422}, answer.text


async def test_hours_are_counted_from_what_is_there(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, tenant: str, as_whom: As
) -> None:
    """By the hour in UTC, of one tenant; what was opened in one hour may end in another."""
    done = await completed(client, s3_http, b"abcde")
    failed = await opened(client, 7)
    await client.delete(f"/api/uploads/{failed}")
    async with stores.pool.connection() as conn:
        await conn.execute(
            """
            UPDATE uploads SET created_at = '2026-03-01T09:59:59Z',
                               finished_at = '2026-03-01T10:00:00Z' WHERE tenant = %s
            """,
            [tenant],
        )
    viewer = await as_whom()
    stranger = await as_whom(tenant=f"{tenant}-other")
    installer = await as_whom(Role.ADMIN, scopes=(Scope.EVERY_TENANT,))
    day = {"from": "2026-03-01", "to": "2026-03-01", "every": "hour"}

    by_user = await _rows(viewer, **day)
    by_tenant = await _rows(installer, **day, by="tenant")
    elsewhere = [
        await _rows(viewer, **{**day, "from": each, "to": each})
        for each in ("2026-02-28", "2026-03-02")
    ]

    hours = ("2026-03-01T09", "2026-03-01T10")
    assert done != failed
    assert by_user == [_row("alice", hours[0], 2, 0, 0, 0), _row("alice", hours[1], 0, 1, 1, 5)]
    assert by_tenant == [_row(tenant, hours[0], 2, 0, 0, 0), _row(tenant, hours[1], 0, 1, 1, 5)]
    assert elsewhere == [[], []]
    assert await _rows(stranger, **day) == []


async def test_hours_come_in_pages_and_for_eight_days_at_most(
    client: httpx.AsyncClient, as_whom: As
) -> None:
    """Without days: of yesterday and today."""
    for kind in ("text/csv", "text/plain"):
        await opened(client, 3, fileType=kind)
    viewer = await as_whom()
    asked = {"every": "hour", "by": "fileType", "limit": "1"}

    first = (await viewer.get("/api/stats", params=asked)).json()
    second = (await viewer.get("/api/stats", params=asked | {"cursor": first["nextCursor"]})).json()
    eight, nine = [
        await viewer.get("/api/stats", params={"every": "hour", "from": day, "to": "2026-03-08"})
        for day in ("2026-03-01", "2026-02-28")
    ]

    days = [datetime.fromisoformat(first[name]) for name in ("from", "to")]
    assert (days[1] - days[0]).days == 1
    keys = [row["key"] for answer in (first, second) for row in answer["rows"]]
    assert keys == ["text/csv", "text/plain"]
    assert second["nextCursor"] is None
    assert (eight.status_code, nine.json()) == (200, problem(InvalidFieldError, field="from"))
