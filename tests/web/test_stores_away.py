"""docs/stores.md says what each route does while a store is away, and this is true."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.domain import callback_tokens, ids
from coordinator.domain.access import Role, Scope
from coordinator.domain.embedders import LocalSetting
from coordinator.settings import Settings
from coordinator.worker.run_job import run_job
from tests.conftest import MakeKey, client_of
from tests.localstack import S3Address
from tests.web.deliveries import a_delivery
from tests.web.driving import a_file, completed, opened, sent, sha256
from tests.web.trainings import hand_over, public, training

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PAGE: Final = Path(__file__).parents[2] / "docs" / "stores.md"
_ROW: Final = re.compile(r"\| `(\w+) (\S+)` \| (works|503) \| (works|503) \| (works|503) \|")
_PLACE: Final = re.compile(r"\{\w+\}")
_STORES: Final = ("redis", "postgres", "s3")
_DATA: Final = b"abc"

Route = tuple[str, str]


class Call(NamedTuple):
    """How a route is asked: the ids in its path, its body and query, another token than the key."""

    ids: tuple[str, ...] = ()
    body: Any = None
    query: dict[str, str] | None = None
    token: str | None = None


def _table() -> dict[Route, dict[str, str]]:
    rows = _ROW.findall(_PAGE.read_text(encoding="utf-8"))
    return {(method, path): dict(zip(_STORES, words, strict=True)) for method, path, *words in rows}


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """A service that can be searched, with a model that needs nobody."""
    setting = msgspec.json.encode(LocalSetting(model="wordllama"))
    return msgspec.structs.replace(settings, embeddings=setting.decode())


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


async def _calls(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, s3: httpx.AsyncClient
) -> dict[str, Call]:
    """Prepare something for each route that needs it."""
    open_ids = [await opened(client, len(_DATA), fileName=f"{number}.csv") for number in range(6)]
    for upload_id in open_ids:
        await sent(client, s3, upload_id, {0: _DATA})
        report = {"uploadId": upload_id, "chunkIndex": 0}
        assert (await client.post("/api/upload/chunk", json=report)).status_code == 200
    done = await completed(client, s3, _DATA)
    over = await opened(client, len(_DATA))
    assert (await client.delete(f"/api/uploads/{over}")).status_code == 204
    urls, chunk, seen, verified, complete, aborted = open_ids
    digest = {"chunkIndex": 0, "sha256": sha256(_DATA)}
    return {
        "POST /api/upload/init": Call(body=a_file(len(_DATA))),
        "POST /api/upload/urls": Call(body={"uploadId": urls, "chunks": [digest]}),
        "POST /api/upload/chunk": Call(body={"uploadId": chunk, "chunkIndex": 0}),
        "GET /api/upload/status/{upload_id}": Call((seen,)),
        "GET /api/upload/status/{upload_id}?verify=true": Call((verified,)),
        "POST /api/upload/complete": Call(body={"uploadId": complete}),
        "DELETE /api/uploads/{upload_id}": Call((aborted,)),
        "GET /api/uploads/{upload_id}/manifest": Call((done,)),
        "GET /api/uploads/{upload_id}/download": Call((done,)),
        "GET /api/uploads/{upload_id}/events": Call((over,)),
        "GET /api/uploads/{upload_id}/timeline": Call((over,)),
        "POST /api/uploads/{upload_id}/token": Call((seen,)),
        "PUT /api/uploads/{upload_id}/hold": Call((seen,), {"case": "A-1"}),
        "DELETE /api/uploads/{upload_id}/hold": Call((verified,)),
        **await _of_admins(admin),
    }


async def _of_jobs(
    client: httpx.AsyncClient, s3: httpx.AsyncClient, stores: Stores, settings: Settings
) -> dict[str, Call]:
    done, waiting = [await completed(client, s3, data) for data in (_DATA, _DATA * 2)]
    ran, cancelled = [
        (await client.get(f"/api/uploads/{upload_id}/jobs")).json()["jobs"][0]["jobId"]
        for upload_id in (done, waiting)
    ]
    number = ids.decode(ids.JOB, ran)
    assert number is not None
    await run_job(stores, settings, number)
    handed = await training(stores, done)
    await hand_over(stores, handed)
    token = callback_tokens.mint(public(handed), secret=settings.secret)
    return {
        "GET /api/uploads/{upload_id}/jobs": Call((done,)),
        "GET /api/uploads/{upload_id}/artifacts": Call((done,)),
        "POST /api/uploads/{upload_id}/jobs": Call((done,), {"kind": "scan_pii"}),
        "GET /api/jobs/{job_id}": Call((ran,)),
        "POST /api/jobs/{job_id}/retry": Call((ran,)),
        "POST /api/jobs/{job_id}/cancel": Call((cancelled,)),
        "POST /api/jobs/{job_id}/callback": Call(
            (public(handed),), {"status": "running"}, token=token
        ),
        "GET /api/datasets/{upload_id}/card": Call((done,)),
        "GET /api/search": Call(query={"q": "a question"}),
    }


async def _of_admins(admin: httpx.AsyncClient) -> dict[str, Call]:
    a_key = {"name": "a key", "roles": ["viewer"]}
    nobody = {"userId": "nobody", "dryRun": True}
    rotated, revoked = [(await admin.post("/api/keys", json=a_key)).json()["keyId"] for _ in "ab"]
    erasure = (await admin.post("/api/erasures", json=nobody)).json()["erasureId"]
    rule = {"purpose": "*", "afterDays": 365, "action": "delete"}
    return {
        "POST /api/keys": Call(body=a_key),
        "POST /api/keys/{key_id}/rotate": Call((rotated,), {}),
        "DELETE /api/keys/{key_id}": Call((revoked,)),
        "PUT /api/quotas": Call(body={"openUploads": 1_000}),
        "PUT /api/retention": Call(body={"rules": [rule]}),
        "POST /api/erasures": Call(body=nobody),
        "GET /api/erasures/{erasure_id}": Call((erasure,)),
    }


async def _asked(client: httpx.AsyncClient, route: Route, calls: dict[str, Call]) -> str:
    method, path = route
    call = calls.get(f"{method} {path}", Call())
    places = iter(call.ids)
    url = httpx.URL(_PLACE.sub(lambda _: next(places), path)).copy_merge_params(call.query or {})
    headers = {"Authorization": f"Bearer {call.token}"} if call.token else None
    answer = await client.request(method, url, json=call.body, headers=headers)
    if answer.status_code == 503 and path != "/readyz":
        assert answer.json()["code"] == "unavailable"
        assert "retry-after" in answer.headers
    # The job of this upload has not failed, and the route says so.
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
    stores: Stores,
    settings: Settings,
    tenant: str,
    away: str,
) -> None:
    """All at once: nobody waits for the others, and whatever waits does so for seconds only."""
    roles = (Role.UPLOADER, Role.ADMIN)
    key = await make_key(roles=roles, scopes=(Scope.EVERY_TENANT,))
    async with client_of(app, key) as admin:
        calls = await _calls(client, admin, s3_http)
    calls |= await _of_jobs(client, s3_http, stores, settings)
    dead = (await a_delivery(stores.pool, tenant), "hook")
    calls["POST /api/deliveries/{event_id}/{sink}/retry"] = Call(dead)
    table = _table()

    async with client_of(limping, key) as asking, asyncio.timeout(30):
        told = await asyncio.gather(*(_asked(asking, route, calls) for route in table))

    assert dict(zip(table, told, strict=True)) == {
        route: words[away] for route, words in table.items()
    }
