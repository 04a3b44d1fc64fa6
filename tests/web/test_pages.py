"""Our own pages and coordinator.js: what is served, how, and nothing besides."""

import gzip
from importlib import resources
from pathlib import Path
from typing import Final

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain import sigv4
from coordinator.web.hygiene import page_policy
from tests.conftest import client_of
from tests.web.conftest import ORIGIN
from tests.web.test_page_policy import EVERYWHERE

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_STATIC: Final = Path(str(resources.files("coordinator.web") / "static"))
_SCRIPT: Final = "/js/coordinator.js"
_PLAIN: Final = {"Accept-Encoding": "identity"}


@pytest.fixture
async def nobody(app: Litestar) -> httpx.AsyncClient:
    """A browser that has shown nothing yet."""
    return client_of(app, None)


@pytest.mark.parametrize(
    ("path", "file", "media_type"),
    [
        ("/", "pages/index.html", "text/html; charset=utf-8"),
        ("/ops", "pages/ops.html", "text/html; charset=utf-8"),
        (_SCRIPT, "js/coordinator.js", "text/javascript; charset=utf-8"),
        ("/pages/shell.js", "pages/shell.js", "text/javascript; charset=utf-8"),
        ("/pages/ops/main.js", "pages/ops/main.js", "text/javascript; charset=utf-8"),
        ("/pages/shell.css", "pages/shell.css", "text/css; charset=utf-8"),
        ("/pages/icon.svg", "pages/icon.svg", "image/svg+xml"),
    ],
)
async def test_a_file_comes_as_it_is_and_says_what_it_may_do(
    nobody: httpx.AsyncClient, stores: Stores, path: str, file: str, media_type: str
) -> None:
    """Without a key: a page holds nothing. Scripts have the policy too, for workers live by it."""
    answer = await nobody.get(path, headers=_PLAIN)

    policy = page_policy(s3=sigv4.origin(stores.bucket.public))
    own = {"content-security-policy": policy, "cache-control": "no-cache"}
    told = {**EVERYWHERE, **own, "vary": "Origin, Accept-Encoding"}
    assert answer.status_code == 200
    assert answer.content == (_STATIC / file).read_bytes()
    assert answer.headers["content-type"] == media_type
    assert {name: answer.headers[name] for name in told} == told
    assert answer.headers["ratelimit-policy"].startswith('"address"')


async def test_a_page_may_send_parts_to_this_s3_and_nowhere_else(
    nobody: httpx.AsyncClient, stores: Stores
) -> None:
    """Part URLs lead to the address that clients use."""
    policy = (await nobody.get("/")).headers["content-security-policy"]

    assert f"connect-src 'self' {stores.bucket.public.endpoint};" in policy


async def test_a_browser_that_has_a_file_gets_no_bytes(nobody: httpx.AsyncClient) -> None:
    """And one that has an older one gets the new one: nothing is used without being asked for."""
    first = await nobody.get(_SCRIPT, headers=_PLAIN)
    etag = first.headers["etag"]

    again = [
        await nobody.get(_SCRIPT, headers={**_PLAIN, "If-None-Match": sent})
        for sent in (etag, f'"older", W/{etag}', "*", '"older"', etag.strip('"'))
    ]

    assert [answer.status_code for answer in again] == [304, 304, 304, 200, 200]
    assert [answer.content for answer in again] == [b"", b"", b"", first.content, first.content]
    assert {answer.headers["etag"] for answer in again} == {etag}
    assert "content-security-policy" in again[0].headers


async def test_a_head_says_what_a_get_would(nobody: httpx.AsyncClient) -> None:
    """Length included, and no body."""
    got = await nobody.get(_SCRIPT, headers=_PLAIN)
    head = await nobody.head(_SCRIPT, headers=_PLAIN)
    passing = {"x-request-id", "ratelimit", "date"}

    assert head.content == b""
    assert {name: value for name, value in head.headers.items() if name not in passing} == {
        name: value for name, value in got.headers.items() if name not in passing
    }
    assert int(head.headers["content-length"]) == len(got.content)


@pytest.mark.parametrize(
    ("offered", "is_packed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("*", False),
        ("", False),
    ],
)
async def test_texts_are_packed_for_whoever_takes_gzip(
    app: Litestar, offered: str, *, is_packed: bool
) -> None:
    """With a validator of their own, because these are other bytes."""
    async with client_of(app, None) as nobody:
        request = nobody.build_request("GET", "/pages/shell.css")
        request.headers["Accept-Encoding"] = offered
        answer = await nobody.send(request, stream=True)
        raw = b"".join([part async for part in answer.aiter_raw()])
    whole = (_STATIC / "pages" / "shell.css").read_bytes()

    assert ("content-encoding" in answer.headers) == is_packed
    assert (gzip.decompress(raw) if is_packed else raw) == whole
    assert int(answer.headers["content-length"]) == len(raw)
    assert ("gzip" in answer.headers["etag"]) == is_packed


@pytest.mark.parametrize(
    "path",
    [
        *("/js/", "/js/nothing.js", "/js/package.json", "/js/types/coordinator.d.ts", "/pages/"),
        *("/pages/../app.py", "/pages/..%2f..%2fpages.py", "/pages/%2e%2e/%2e%2e/pages.py"),
        *(
            "/js/..%5c..%5cpages.py",
            "/js/%2fetc%2fpasswd",
            "/pages//etc/passwd",
            "/js/coordinator.js%00.css",
        ),
        *("/pages/ops", "/pages/ops/", "/index.html", "/static/js/x.js"),
    ],
)
async def test_no_path_leads_out_of_what_is_served(app: Litestar, path: str) -> None:
    """Nothing is opened by its path. Sent raw: clients tidy dots away before they send."""
    url = httpx.URL("http://service").copy_with(raw_path=path.encode())
    async with client_of(app, None) as nobody:
        answer = await nobody.send(httpx.Request("GET", url))

    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-route")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/ops", _SCRIPT])
async def test_nothing_but_reading_is_possible(
    nobody: httpx.AsyncClient, method: str, path: str
) -> None:
    """A form that is sent there by mistake is refused, and not taken for read."""
    answer = await nobody.request(method, path)

    assert answer.status_code == 405


async def test_pages_of_named_origins_may_import_the_module(nobody: httpx.AsyncClient) -> None:
    """Modules are loaded by CORS."""
    near, far = [
        await nobody.get(_SCRIPT, headers={"Origin": origin})
        for origin in (ORIGIN, "https://elsewhere.example")
    ]

    assert near.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in far.headers


async def test_pages_are_no_part_of_the_api(app: Litestar) -> None:
    """Clients are generated from the document."""
    paths = app.openapi_schema.to_schema()["paths"]

    assert [path for path in paths if not path.startswith(("/api/", "/healthz", "/readyz"))] == [
        "/metrics"
    ]
