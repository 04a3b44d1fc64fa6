"""``/healthz``, ``/readyz``, ``/schema/openapi.json``, CORS, and what is no route."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.conftest import client_of
from tests.web.conftest import ORIGIN
from tests.web.driving import TEXT, Like

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


async def test_health_and_readiness_need_no_key(app: Litestar) -> None:
    """Machines ask that have none."""
    async with client_of(app, None) as nobody:
        answers = [await nobody.get(path) for path in ("/healthz", "/readyz")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (200, {"status": "ok"}),
        (200, {"status": "ready", "postgres": "ok", "redis": "ok"}),
    ]


async def test_the_served_document_is_the_one_in_docs(app: Litestar) -> None:
    """What people read and what clients are made from is what runs."""
    async with client_of(app, None) as nobody:
        answer = await nobody.get("/schema/openapi.json")

    assert answer.status_code == 200
    assert answer.json() == json.loads(_DOCUMENT.read_bytes())


async def _preflight(client: httpx.AsyncClient, origin: str) -> httpx.Response:
    return await client.options(
        "/api/upload/init",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        },
    )


async def test_a_page_of_a_configured_origin_may_call(app: Litestar) -> None:
    """Its preflight carries no key."""
    async with client_of(app, None) as page:
        preflight = await _preflight(page, ORIGIN)
        answer = await page.get("/healthz", headers={"Origin": ORIGIN})

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed.split(", "))
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert {"x-request-id", "retry-after", "ratelimit"} <= set(exposed.split(", "))


@pytest.mark.parametrize(
    "origin",
    ["https://elsewhere.example", f"{ORIGIN}.elsewhere.example", "http://pages.example", "null"],
)
async def test_a_page_of_another_origin_may_not(app: Litestar, origin: str) -> None:
    """Not even one whose name begins alike."""
    async with client_of(app, None) as page:
        preflight = await _preflight(page, origin)
        answer = await page.get("/healthz", headers={"Origin": origin})

    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "no-such-route"),
        ("GET", "/api/nothing", 404, "no-such-route"),
        ("GET", "/api/upload/%00", 404, "no-such-route"),
        ("PUT", "/api/upload/init", 405, "method-not-allowed"),
        ("GET", "/api/upload/init", 405, "method-not-allowed"),
        ("POST", "/healthz", 405, "method-not-allowed"),
    ],
)
async def test_what_is_no_route_is_a_problem_too(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """RFC 9457 everywhere, not only where a handler answers."""
    answer = await client.request(method, path)

    expected: dict[str, Any] = {
        "type": f"urn:upload-coordinator:problem:{code}",
        "title": TEXT,
        "status": status,
        "detail": TEXT,
        "code": code,
        "requestId": Like("[0-9a-f]{32}"),
    }
    assert (answer.status_code, answer.json()) == (status, expected)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["requestId"]
