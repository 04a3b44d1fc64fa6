"""What every answer tells browsers, and who may read it: routes, faults, preflights, nothing."""

from typing import Any, Final

import httpx
import psycopg
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from tests.conftest import client_of
from tests.web.conftest import ORIGIN
from tests.web.driving import NO_UPLOAD, a_file, completed
from tests.web.test_page_policy import EVERYWHERE

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_ROUTES: Final[list[tuple[str, str, dict[str, Any], int]]] = [
    ("GET", "/healthz", {}, 200),
    ("GET", "/metrics", {}, 200),
    ("GET", "/schema/openapi.json", {}, 200),
    ("GET", "/api/uploads", {}, 200),
    ("HEAD", "/healthz", {}, 405),
    ("POST", "/api/upload/init", {"json": a_file(3)}, 201),
    ("POST", "/api/upload/init", {"content": b"{"}, 400),
    ("POST", "/api/upload/init", {"content": b"x" * 2**21 + b"x"}, 413),
    ("GET", f"/api/upload/status/{NO_UPLOAD}", {}, 404),
    ("GET", "/api/uploads?limit=x", {}, 422),
    ("GET", "/nothing", {}, 404),
    ("PUT", "/healthz", {}, 405),
    ("OPTIONS", "/healthz", {}, 204),
    ("GET", "/api/uploads", {"headers": {"Authorization": ""}}, 401),
]


def _told(answer: httpx.Response) -> dict[str, str]:
    return {name: ", ".join(answer.headers.get_list(name)) for name in EVERYWHERE}


@pytest.mark.parametrize(("method", "path", "more", "status"), _ROUTES)
async def test_every_answer_says_how_a_browser_must_take_it(
    client: httpx.AsyncClient, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    """Each header once; also where no route, no handler and no middleware of ours was met."""
    answer = await client.request(method, path, **more)

    assert answer.status_code == status
    assert _told(answer) == EVERYWHERE
    assert answer.headers["permissions-policy"]
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


async def test_a_fault_of_ours_says_it_too(client: httpx.AsyncClient, stores: Stores) -> None:
    """500s are made elsewhere than refusals."""
    async with stores.pool.connection() as conn:
        await conn.execute("ALTER TABLE signings RENAME TO hidden")
    try:
        answer = await client.post(
            "/api/upload/urls",
            json={
                "uploadId": (await client.post("/api/upload/init", json=a_file(3))).json()[
                    "uploadId"
                ],
                "chunks": [{"chunkIndex": 0, "sha256": "ab" * 32}],
            },
        )
    finally:
        async with stores.pool.connection() as conn:
            await conn.execute("ALTER TABLE hidden RENAME TO signings")

    assert answer.status_code == 500
    assert _told(answer) == EVERYWHERE


_PATHS: Final = ["/healthz", "/api/upload/init", "/api/uploads", "/nothing"]
_FOREIGN: Final = [
    *("https://elsewhere.example", "null", "", f"{ORIGIN}:443", f"{ORIGIN}:8443", f"{ORIGIN}/"),
    *(f"{ORIGIN}.elsewhere.example", "http://pages.example", "https://PAGES.example", "*"),
    *("https://elsewhere.example/?https://pages.example", f"{ORIGIN} https://elsewhere.example"),
    *("https://pagesxexample", f"x{ORIGIN}", f"{ORIGIN}\t", "https://xpages.example"),
]


def _cors(answer: httpx.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", _FOREIGN)
async def test_a_page_that_is_not_named_gets_no_cors_header_at_all(
    app: Litestar, origin: str
) -> None:
    """Not by case, port, suffix, prefix or a second name; and no cache mixes answers up."""
    async with client_of(app, None) as page:
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answers = [
            await page.request(method, path, headers=asks)
            for path in _PATHS
            for method in ("GET", "OPTIONS")
        ]

    assert [_cors(answer) for answer in answers] == [[]] * len(answers)
    assert {answer.headers["vary"] for answer in answers} == {"Origin"}


async def test_a_preflight_is_answered_for_every_route_without_a_store(
    app: Litestar, stores: Stores
) -> None:
    """It comes without a key; no credentials are ever allowed."""
    asks = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,last-event-id",
    }
    before = stores.pool.get_stats().get("requests_num", 0)
    async with client_of(app, None) as page:
        paths = [route.path for route in app.routes]
        answers = [await page.options(path, headers=asks) for path in paths]

    assert {answer.status_code for answer in answers} == {204}
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {ORIGIN}
    assert not any("access-control-allow-credentials" in answer.headers for answer in answers)
    assert stores.pool.get_stats().get("requests_num", 0) == before


_HOSTILE: Final = "a\"b';--\u00e4 \U0001f600 {}$(id)`%0d%0aX-Forged: 1%00<script>&=#?.jsonl"


async def test_nothing_a_user_sends_reaches_a_header_or_a_key_raw(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, database_url: str
) -> None:
    """Quotes, other scripts, what looks like SQL, a shell's or a header's: text, and no more."""
    metadata = {
        "purpose": "training",
        "note": "'; DROP TABLE uploads; --",
        "lua": "]] redis.call()",
    }
    upload_id = await completed(
        client, s3_http, b"{}\n", fileName=_HOSTILE, fileType="text/x;a='\"", metadata=metadata
    )

    status = (await client.get(f"/api/upload/status/{upload_id}")).json()
    redirect = await client.get(f"/api/uploads/{upload_id}/download")
    got = await s3_http.get(redirect.headers["location"])

    assert (status["fileName"], status["metadata"]) == (_HOSTILE, metadata)
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        cursor = await conn.execute(
            "SELECT object_key FROM uploads WHERE file_name = %s", [_HOSTILE]
        )
        [(key,)] = await cursor.fetchall()
    folder, _, name = key.rpartition("/")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert folder.endswith(f"/{upload_id}")
    assert got.content == b"{}\n"
    disposition = got.headers["content-disposition"]
    assert disposition.startswith("attachment;")
    assert disposition.isascii()
    assert "x-forged" not in got.headers
    assert not any(
        "forged" in value.lower() for name, value in redirect.headers.items() if name != "location"
    )


async def test_a_packed_body_is_refused(client: httpx.AsyncClient) -> None:
    """A few bytes could be many."""
    for encoding, status in (
        ("gzip", 415),
        ("br", 415),
        ("identity, gzip", 415),
        ("identity", 201),
    ):
        answer = await client.post(
            "/api/upload/init", json=a_file(3), headers={"Content-Encoding": encoding}
        )
        assert answer.status_code == status


@pytest.mark.parametrize("depth", [31, 32])
async def test_json_nests_32_deep_at_most(client: httpx.AsyncClient, depth: int) -> None:
    """The body itself is the first level; what is allowed so far may be refused by its field."""
    inside = b"[" * depth + b"]" * depth

    answer = await client.post("/api/upload/init", content=b'{"a": %b}' % inside)

    code = answer.json()["code"]
    assert code == ("malformed-json" if depth >= 32 else "invalid-field")
    assert depth < 32 or "32" in answer.json()["detail"]
