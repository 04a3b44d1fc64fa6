"""``GET /api/uploads?q=``: by id, by part of a file's name, by part of a user's."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.domain.uploads import Owner
from coordinator.operations.find_uploads import Place, Wanted, find_uploads
from tests.conftest import MakeKey, client_of
from tests.web.driving import NO_UPLOAD, opened

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_NAMES: Final = ["Sales-2026.csv", "weather.jsonl", "50%_off.csv", "Größe 📦.csv"]


@pytest.fixture
async def viewer(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sees the whole tenant."""
    async with client_of(app, await make_key(user="viewer", roles=(Role.VIEWER,))) as client:
        yield client


@pytest.fixture
async def files(app: Litestar, make_key: MakeKey) -> dict[str, str]:
    """Uploads of two users: name to id."""
    found: dict[str, str] = {}
    for user, names in (("alice", _NAMES), ("bob@example.com", ["weather.jsonl.gz"])):
        async with client_of(app, await make_key(user=user)) as client:
            found |= {name: await opened(client, 3, fileName=name) for name in names}
    return found


async def _found(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/api/uploads", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.json()["nextCursor"] is None
    return [each["fileName"] for each in answer.json()["uploads"]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sales", ["Sales-2026.csv"]),
        ("WEATHER", ["weather.jsonl.gz", "weather.jsonl"]),
        ("ather.j", ["weather.jsonl.gz", "weather.jsonl"]),
        ("größe", ["Größe 📦.csv"]),
        ("📦", ["Größe 📦.csv"]),
        ("bob@", ["weather.jsonl.gz"]),
        ("%", ["50%_off.csv"]),  # nothing in it is a pattern
        ("_off", ["50%_off.csv"]),
        ("sales_2026", []),
        ("'; DROP TABLE uploads; --", []),
        ("\x00", []),
        (NO_UPLOAD, []),
        ("upl_", []),
    ],
)
async def test_a_part_of_a_name_finds_it(
    viewer: httpx.AsyncClient, files: dict[str, str], text: str, names: list[str]
) -> None:
    """Newest first, whatever the case; what is typed is text and no pattern."""
    assert len(files) == 5
    assert await _found(viewer, q=text) == names


async def test_an_id_finds_its_upload_alone(
    viewer: httpx.AsyncClient, files: dict[str, str]
) -> None:
    """Also as it comes out of a log, with space around it; filters hold as well."""
    upload_id = files["weather.jsonl"]

    assert await _found(viewer, q=upload_id) == ["weather.jsonl"]
    assert await _found(viewer, q=f" {upload_id} ") == ["weather.jsonl"]
    assert await _found(viewer, q=upload_id, status="INIT") == ["weather.jsonl"]
    assert await _found(viewer, q=upload_id, status="FAILED") == []
    assert await _found(viewer, q=upload_id, userId="nobody") == []


async def test_whoever_sees_their_own_finds_their_own(
    app: Litestar, make_key: MakeKey, files: dict[str, str], tenant: str
) -> None:
    """Neither a colleague's by name, nor another tenant's by id."""
    async with client_of(app, await make_key()) as alice:
        assert await _found(alice, q="weather") == ["weather.jsonl"]
        assert await _found(alice, q=files["weather.jsonl.gz"]) == []
    key = await make_key(tenant=f"{tenant}-other", roles=(Role.VIEWER,))
    async with client_of(app, key) as stranger:
        assert await _found(stranger, q="weather") == []
        assert await _found(stranger, q=files["weather.jsonl"]) == []


async def test_filters_hold_for_a_search_too(
    viewer: httpx.AsyncClient, client: httpx.AsyncClient, files: dict[str, str]
) -> None:
    """Phase and user."""
    await client.delete(f"/api/uploads/{files['weather.jsonl']}")

    assert await _found(viewer, q="weather", status="FAILED") == ["weather.jsonl"]
    assert await _found(viewer, q="weather", userId="bob@example.com") == ["weather.jsonl.gz"]


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("looked_at", [1, 2, 3, 7, 100])
async def test_pages_of_a_search_lose_and_double_nothing(
    stores: Stores, client: httpx.AsyncClient, tenant: str, limit: int, looked_at: int
) -> None:
    """Wherever a page stops looking: at its last hit, or at the last row that it may look at."""
    hits = [await opened(client, 3, fileName=f"hit-{number}") for number in range(3)]
    for number in range(4):
        await opened(client, 3, fileName=f"other-{number}")
    hits += [await opened(client, 3, fileName=f"hit-{number}") for number in range(3, 5)]
    wanted = Wanted(owner=Owner(tenant, None), text="HIT")
    found, after = [], None
    pages = 0
    while pages == 0 or after is not None:
        page, after = await _page(stores, wanted, after, limit, looked_at)
        found += page
        pages += 1

    assert found == hits[::-1]
    assert pages <= 1 + 9 // looked_at + 5


async def _page(
    stores: Stores, wanted: Wanted, after: Place | None, limit: int, looked_at: int
) -> tuple[list[str], Place | None]:
    rows, end = await find_uploads(stores, wanted, after=after, limit=limit, looked_at=looked_at)
    assert len(rows) <= limit
    return [row.public_id for row in rows], end


async def test_a_search_is_by_index_and_ends_somewhere(stores: Stores, tenant: str) -> None:
    """However many uploads a tenant has: no page goes through all of them."""
    async with transaction(stores.pool) as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")  # not counted
        await tx.execute(
            """
            INSERT INTO uploads (id, tenant, user_id, bucket, region, object_key, file_name,
                                 file_type, size_bytes, chunk_bytes, token, deadline)
            SELECT gen_random_uuid(), %s, 'alice', 'b', 'r', 'k' || i, 'file-' || i, 'text/csv',
                   3, 3, 't', now() + interval '1 day' FROM generate_series(1, 20500) AS i
            """,
            [tenant],
        )
        await tx.execute("ANALYZE uploads")
    wanted = Wanted(owner=Owner(tenant, None), text="nowhere")
    after, pages = None, 0
    while pages == 0 or after is not None:
        page, after = await find_uploads(stores, wanted, after=after, limit=100)
        assert page == []
        pages += 1

    assert pages == 3
