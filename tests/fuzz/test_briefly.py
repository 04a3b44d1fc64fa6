"""What ``make fuzz`` does at length, briefly: no 5xx, no answer that the document does not know."""

from collections.abc import AsyncIterator

import pytest
from anyio import to_thread
from litestar import Litestar

from tests.fuzz import broken, documented
from tests.fuzz.world import key_for, world_of
from tests.web.listening import served

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_WHO = ("nobody", "token", "everything")


@pytest.fixture
async def url(app: Litestar) -> AsyncIterator[str]:
    """The service on a real port."""
    async with served(app, "") as service:
        yield str(service.http.base_url).rstrip("/")


async def test_answers_are_what_the_document_says(url: str, environ: dict[str, str]) -> None:
    """Clients are generated from it, and believe it."""
    worlds = [await world_of(url, environ, who) for who in _WHO]

    outcome = await to_thread.run_sync(lambda: documented.send_all(url, worlds, count=300))

    statuses = {status for _who, status in outcome.sent}
    assert outcome.sent.total() >= 300
    assert {"2xx", "4xx"} <= statuses
    assert outcome.found == {}


async def test_no_broken_body_is_a_fault(url: str, app: Litestar, environ: dict[str, str]) -> None:
    """Whatever the bytes are, whoever sends them."""
    world = await world_of(url, environ, "everything")
    assert world.credential is not None
    quotas = await key_for(environ, "installer", tenant="of-quotas")
    credentials = {"*": world.credential, "/api/quotas": quotas}
    ids = {name: found[0] for name, found in world.known.items()}
    routes = broken.entries(app.openapi_schema.to_schema(), credentials, ids)

    outcome = await broken.send_broken(app, routes, count=2_000, seed=1)

    assert outcome.found == []
    # Broken a little, a few are still good: the others were not refused for something else.
    assert any(name.endswith("2xx") for name in outcome.answers)
