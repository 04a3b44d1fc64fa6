"""docs/stores.md says what each route does while a store is away, and this is true."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from litestar import Litestar

from coordinator.app import create_app
from coordinator.domain.access import Role, Scope
from coordinator.settings import Settings
from tests.conftest import MakeKey, client_of
from tests.localstack import S3Address
from tests.web.driving import a_file, completed, opened, sent, sha256

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PAGE: Final = Path(__file__).parents[2] / "docs" / "stores.md"
_ROW: Final = re.compile(r"\| `(\w+) (\S+)` \| (works|503) \| (works|503) \| (works|503) \|")
_PLACE: Final = re.compile(r"\{\w+\}")
_STORES: Final = ("redis", "postgres", "s3")
_DATA: Final = b"abc"

Route = tuple[str, str]


def _table() -> dict[Route, dict[str, str]]:
    rows = _ROW.findall(_PAGE.read_text(encoding="utf-8"))
    return {(method, path): dict(zip(_STORES, words, strict=True)) for method, path, *words in rows}


@pytest.fixture(params=_STORES)
def away(request: pytest.FixtureRequest) -> str:
    """The store that is away."""
    store: str = request.param
    return store


@pytest.fixture
async def limping(
    away: str, settings: Settings, s3_server: S3Address, free_tcp_port: int
) -> AsyncIterator[Litestar]:
    """A service on the same data, but nothing listens where one of its stores should be."""
    nowhere: dict[str, dict[str, Any]] = {
        "redis": {"redis_url": f"redis://127.0.0.1:{free_tcp_port}/0"},
        "postgres": {"database_url": f"postgresql://a:b@127.0.0.1:{free_tcp_port}/c"},
        "s3": {"s3_endpoint": f"http://127.0.0.1:{free_tcp_port}"},
    }
    service = create_app(msgspec.structs.replace(settings, **nowhere[away]))
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
        environ.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
        environ.setenv("AWS_DEFAULT_REGION", s3_server.s3_region)
        async with service.lifespan():
            yield service


async def _bodies(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, s3: httpx.AsyncClient
) -> dict[str, Any]:
    """Prepare something for each route that needs it; the id stands in its path or body."""
    open_ids = [await opened(client, len(_DATA), fileName=f"{number}.csv") for number in range(6)]
    for upload_id in open_ids:
        await sent(client, s3, upload_id, {0: _DATA})
        report = {"uploadId": upload_id, "chunkIndex": 0}
        assert (await client.post("/api/upload/chunk", json=report)).status_code == 200
    done = await completed(client, s3, _DATA)
    jobs = (await client.get(f"/api/uploads/{done}/jobs")).json()["jobs"]
    over = await opened(client, len(_DATA))
    assert (await client.delete(f"/api/uploads/{over}")).status_code == 204
    urls, chunk, seen, verified, complete, aborted = open_ids
    digest = {"chunkIndex": 0, "sha256": sha256(_DATA)}
    return {
        "POST /api/upload/init": ("", a_file(len(_DATA))),
        "POST /api/upload/urls": ("", {"uploadId": urls, "chunks": [digest]}),
        "POST /api/upload/chunk": ("", {"uploadId": chunk, "chunkIndex": 0}),
        "GET /api/upload/status/{upload_id}": (seen, None),
        "GET /api/upload/status/{upload_id}?verify=true": (verified, None),
        "POST /api/upload/complete": ("", {"uploadId": complete}),
        "DELETE /api/uploads/{upload_id}": (aborted, None),
        "GET /api/uploads/{upload_id}/manifest": (done, None),
        "GET /api/uploads/{upload_id}/jobs": (done, None),
        "GET /api/uploads/{upload_id}/download": (done, None),
        "GET /api/uploads/{upload_id}/events": (over, None),
        "POST /api/uploads/{upload_id}/token": (seen, None),
        "PUT /api/uploads/{upload_id}/hold": (seen, {"case": "A-1"}),
        "DELETE /api/uploads/{upload_id}/hold": (verified, None),
        "POST /api/jobs/{job_id}/retry": (jobs[0]["jobId"], None),
        **await _of_admins(admin),
    }


async def _of_admins(admin: httpx.AsyncClient) -> dict[str, Any]:
    a_key = {"name": "a key", "roles": ["viewer"]}
    nobody = {"userId": "nobody", "dryRun": True}
    rotated, revoked = [(await admin.post("/api/keys", json=a_key)).json()["keyId"] for _ in "ab"]
    erasure = (await admin.post("/api/erasures", json=nobody)).json()["erasureId"]
    rule = {"purpose": "*", "afterDays": 365, "action": "delete"}
    return {
        "POST /api/keys": ("", a_key),
        "POST /api/keys/{key_id}/rotate": (rotated, {}),
        "DELETE /api/keys/{key_id}": (revoked, None),
        "PUT /api/quotas": ("", {"openUploads": 1_000}),
        "PUT /api/retention": ("", {"rules": [rule]}),
        "POST /api/erasures": ("", nobody),
        "GET /api/erasures/{erasure_id}": (erasure, None),
    }


async def _asked(client: httpx.AsyncClient, route: Route, bodies: dict[str, Any]) -> str:
    method, path = route
    thing, body = bodies.get(f"{method} {path}", ("", None))
    answer = await client.request(method, _PLACE.sub(thing, path), json=body)
    if answer.status_code == 503 and path != "/readyz":
        assert answer.json()["code"] == "unavailable"
        assert "retry-after" in answer.headers
    # The job of these uploads has not failed, and the route says so.
    is_good = answer.status_code < 400 or answer.json().get("code") == "job-not-failed"
    return "works" if is_good else str(answer.status_code)


async def test_every_route_of_the_document_has_a_row(app: Litestar) -> None:
    """A new route is decided before it is released."""
    paths = app.openapi_schema.to_schema()["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}

    assert {(method, path.partition("?")[0]) for method, path in _table()} == routes


async def test_the_page_says_what_happens_while_a_store_is_away(
    *,
    app: Litestar,
    client: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    limping: Litestar,
    make_key: MakeKey,
    away: str,
) -> None:
    """All at once: nobody waits for the others, and whatever waits does so for seconds only."""
    roles = (Role.UPLOADER, Role.ADMIN)
    key = await make_key(roles=roles, scopes=(Scope.EVERY_TENANT,))
    async with client_of(app, key) as admin:
        bodies = await _bodies(client, admin, s3_http)
    table = _table()

    async with client_of(limping, key) as asking, asyncio.timeout(30):
        told = await asyncio.gather(*(_asked(asking, route, bodies) for route in table))

    assert dict(zip(table, told, strict=True)) == {
        route: words[away] for route, words in table.items()
    }
