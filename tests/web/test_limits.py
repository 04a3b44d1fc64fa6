"""Rate limits as clients meet them: who is refused, when to come again, what answers tell."""

import ipaddress
import random
import re
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import httpx
import msgspec
import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from coordinator.adapters import quotas
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.app import create_app
from coordinator.domain.access import Scope
from coordinator.domain.errors import RateLimitedError, UnauthenticatedError
from coordinator.domain.keys import mint
from coordinator.domain.quotas import QuotaRow
from coordinator.settings import Settings
from tests.conftest import MakeKey
from tests.web.conftest import ORIGIN
from tests.web.driving import CHUNK, NO_UPLOAD, a_file, opened, problem, sha256

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_USER: Final = "open=1/m:2 sign=off report=off complete=off read=1/m:3 admin=off"
_ADDRESS: Final = "open=1/m:50 sign=off report=off complete=off read=1/m:6 admin=off refused=1/m:3"
_READ: Final = f"/api/upload/status/{NO_UPLOAD}"  # 404 where it is let through


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """Limits that are reached soon, and refill so slowly that no test sees it."""
    return msgspec.structs.replace(
        settings,
        secret=f"of this run only: {random.getrandbits(128):032x}",
        rate_limits_user=_USER,
        rate_limits_address=_ADDRESS,
        trusted_proxies="10.0.0.0/8",
    )


def _at(app: Litestar, key: str | None, peer: str) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx.ASGITransport(cast("Any", app), client=(peer, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers)


@pytest.fixture
def peer() -> str:
    """An address that no other test comes from."""
    return str(
        ipaddress.IPv4Address(random.randrange(2**17) + int(ipaddress.IPv4Address(0xC6120000)))
    )


def _limits(answer: httpx.Response) -> str:
    """Return the field with its times as they would be if the test took no time."""
    return re.sub(r"t=5\d\b", "t=60", answer.headers["ratelimit"])


async def _statuses(client: httpx.AsyncClient, count: int, **options: Any) -> list[int]:
    return [(await client.get(_READ, **options)).status_code for _ in range(count)]


async def test_a_user_is_refused_after_its_burst_and_told_when_to_come_again(
    app: Litestar, make_key: MakeKey, peer: str
) -> None:
    """Every answer says what is left; of a refused one, the limit that refused it."""
    async with _at(app, await make_key(), peer) as alice:
        answers = [await alice.get(_READ, headers={"Origin": ORIGIN}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {
        '"address";q=6;w=360, "user";q=3;w=180'
    }
    assert [_limits(answer) for answer in answers] == [
        '"address";r=5;t=60, "user";r=2;t=60',
        '"address";r=4;t=60, "user";r=1;t=60',
        '"address";r=3;t=60, "user";r=0;t=60',
        '"user";r=0;t=60',
    ]
    refused = answers[-1]
    wait = int(refused.headers["retry-after"])
    assert 50 <= wait <= 60
    assert refused.json() == problem(RateLimitedError, retryAfterSeconds=wait)
    exposed = refused.headers["access-control-expose-headers"].split(", ")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)


async def test_what_the_user_may_not_do_costs_its_address_nothing(
    app: Litestar, make_key: MakeKey, peer: str
) -> None:
    """One who hammers at a used up limit does not use up that of the office."""
    async with (
        _at(app, await make_key(), peer) as alice,
        _at(app, await make_key(user="bob"), peer) as bob,
    ):
        alices = await _statuses(alice, 20)
        bobs = await _statuses(bob, 4)

    assert alices == [404] * 3 + [429] * 17
    assert bobs == [404] * 3 + [429]


async def test_an_address_is_limited_whoever_asks_from_it(
    app: Litestar, make_key: MakeKey, peer: str
) -> None:
    """Of two who come from different ones, neither notices the other."""
    keys = [await make_key(user=name) for name in ("alice", "bob", "carol")]
    for key in keys[:2]:
        async with _at(app, key, peer) as client:
            assert await _statuses(client, 3) == [404] * 3

    async with _at(app, keys[2], peer) as here:
        refused = await here.get(_READ)
    async with _at(app, keys[2], "192.0.2.200") as elsewhere:
        free = await elsewhere.get(_READ)

    assert (refused.status_code, _limits(refused)) == (429, '"address";r=0;t=60')
    assert free.status_code == 404


async def test_classes_of_routes_are_limited_each_for_itself(
    app: Litestar, make_key: MakeKey, peer: str
) -> None:
    """Whoever has read too much may still open, and what is off is not told of."""
    async with _at(app, await make_key(), peer) as alice:
        assert await _statuses(alice, 4) == [404, 404, 404, 429]
        started = [await alice.post("/api/upload/init", json=a_file(1)) for _ in range(3)]
        report = {"uploadId": NO_UPLOAD, "chunkIndex": 0}
        reported = [await alice.post("/api/upload/chunk", json=report) for _ in range(10)]

    assert [answer.status_code for answer in started] == [201, 201, 429]
    assert {answer.status_code for answer in reported} == {404}
    assert not {"ratelimit", "ratelimit-policy"} & reported[0].headers.keys()


@pytest.mark.parametrize(
    ("peers", "passed"),
    [
        (["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::3"], 6),
        (["2001:db8:5:2::1", "2001:db8:5:3::1", "2001:db8:5:4::1"], 9),
        (["192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209"], 6),
    ],
)
async def test_an_ipv6_network_is_one_address(
    app: Litestar, make_key: MakeKey, peers: list[str], passed: int
) -> None:
    """A household has 2**64 of them; IPv4 within IPv6 is IPv4."""
    seen: list[int] = []
    for number, each in enumerate(peers):
        async with _at(app, await make_key(user=f"user{number}"), each) as client:
            seen += await _statuses(client, 3)

    assert seen == [404] * passed + [429] * (9 - passed)


@pytest.mark.parametrize("is_proxied", [False, True])
async def test_only_what_a_trusted_proxy_wrote_is_believed(
    app: Litestar, make_key: MakeKey, peer: str, *, is_proxied: bool
) -> None:
    """A client that invents a header for each request stays who it is, and only it is refused."""
    seen: list[int] = []
    sender, appended = ("10.0.0.1", f", {peer}, 10.0.0.2") if is_proxied else (peer, "")
    for number in range(4):
        async with _at(app, await make_key(user=f"user{number}"), sender) as client:
            for at in range(2):
                lie = {"X-Forwarded-For": f"6.6.{number}.{at}{appended}"}
                seen += await _statuses(client, 1, headers=lie)
    async with _at(app, await make_key(user="other"), "10.0.0.1") as client:
        other = await _statuses(client, 1, headers={"X-Forwarded-For": f"{peer}, 192.0.2.77"})

    assert seen == [404] * 6 + [429] * 2
    assert other == [404]


async def test_trying_keys_ends_before_postgres_and_not_for_those_who_are_known(
    app: Litestar, stores: Stores, make_key: MakeKey, peer: str
) -> None:
    """Others behind the same address go on, also when their keys must be looked up again."""
    good, late = await make_key(), await make_key(user="bob")
    async with _at(app, good, peer) as alice:
        assert await _statuses(alice, 1) == [404]
    guesses = [mint(random.randbytes(40)).text for _ in range(5)]

    tried = []
    for guess in guesses:
        async with _at(app, guess, peer) as client:
            asked = stores.pool.get_stats().get("requests_num", 0)
            answer = await client.get(_READ)
            tried.append((answer, stores.pool.get_stats().get("requests_num", 0) - asked))
    app.state.authenticator._kept.clear()
    async with _at(app, good, peer) as alice, _at(app, late, peer) as bob:
        known, unknown = await alice.get(_READ), await bob.get(_READ)

    assert [(answer.status_code, asked) for answer, asked in tried] == [(401, 1)] * 3 + [
        (429, 0)
    ] * 2
    assert tried[0][0].json() == problem(UnauthenticatedError)
    assert _limits(tried[-1][0]) == '"refused";r=0;t=60'
    assert (known.status_code, unknown.status_code) == (404, 429)


async def test_what_needs_no_key_is_not_limited(app: Litestar, peer: str) -> None:
    """Probes and scrapers come often, and from one address."""
    async with _at(app, None, peer) as nobody:
        answers = [
            await nobody.get(path)
            for path in ("/healthz", "/readyz", "/metrics", "/schema/openapi.json")
            for _ in range(10)
        ]
        preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        asked = [await nobody.options("/api/upload/init", headers=preflight) for _ in range(10)]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.status_code for answer in asked} == {204}
    assert not any("ratelimit" in answer.headers for answer in answers)


async def test_a_backend_opens_at_the_cost_of_the_users_that_it_names(
    app: Litestar, make_key: MakeKey, peer: str
) -> None:
    """As if each had come alone; whom it does not name is itself."""
    key = await make_key(user="backend", scopes=(Scope.ACT_AS,))
    wished = ["bob", "bob", "bob", "carol", None, None, None]
    async with _at(app, key, peer) as backend:
        answers = [
            (await backend.post("/api/upload/init", json=a_file(1, userId=name))).status_code
            for name in wished
        ]
    async with _at(app, await make_key(user="carol"), peer) as carol:
        hers = [(await carol.post("/api/upload/init", json=a_file(1))).status_code for _ in "ab"]

    assert answers == [201, 201, 429, 201, 201, 201, 429]
    assert hers == [201, 429]


async def test_a_tenant_signs_as_many_chunks_a_second_as_its_quota_says(
    app: Litestar, stores: Stores, make_key: MakeKey, tenant: str, peer: str
) -> None:
    """What one request may hold fits at once; the next waits. Other tenants are not held up."""
    async with transaction(stores.pool) as tx:
        await quotas.hold(tx, tenant)
        await quotas.replace(tx, tenant, QuotaRow(chunks_a_second=1))
    body = [{"chunkIndex": index, "sha256": sha256(b"%d" % index)} for index in range(1_000)]

    async with _at(app, await make_key(), peer) as alice:
        upload_id = await opened(alice, 1_000 * CHUNK)
        asked = {"uploadId": upload_id, "chunks": body}
        first = await alice.post("/api/upload/urls", json=asked)
        second = await alice.post("/api/upload/urls", json={**asked, "chunks": body[:500]})
    async with _at(app, await make_key(tenant=f"{tenant}-other"), peer) as other:
        free = await other.post("/api/upload/urls", json=asked)

    assert (first.status_code, first.headers["ratelimit-policy"]) == (200, '"chunks";q=1000;w=1000')
    assert first.headers["ratelimit"] == '"chunks";r=0;t=1'
    assert second.status_code == 429
    assert 450 <= int(second.headers["retry-after"]) <= 500
    assert free.status_code == 404
    assert "ratelimit" not in free.headers


async def _counted(app: Litestar, **labels: str) -> float:
    async with _at(app, None, "127.0.0.1") as nobody:
        text = (await nobody.get("/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "rate_limited_total" and sample.labels == labels
    )


async def test_refusals_are_counted_by_whose_limit_it_was(
    app: Litestar, make_key: MakeKey, peer: str
) -> None:
    """Nothing else is a label: neither who it was nor where from."""
    labels = {"class": "read", "by": "user", "where": "redis"}
    before = await _counted(app, **labels)

    async with _at(app, await make_key(), peer) as alice:
        await _statuses(alice, 5)

    assert await _counted(app, **labels) - before == 2


@pytest.fixture
async def alone(settings: Settings, free_tcp_port: int) -> AsyncIterator[Litestar]:
    """The same service without its Redis."""
    nowhere = msgspec.structs.replace(settings, redis_url=f"redis://127.0.0.1:{free_tcp_port}/0")
    service = create_app(nowhere)
    async with service.lifespan():
        yield service


async def test_without_redis_a_process_limits_by_itself(
    alone: Litestar, make_key: MakeKey, peer: str
) -> None:
    """Nobody gets a 500, nobody waits, nobody is let through without end."""
    labels = {"class": "read", "by": "user", "where": "memory"}
    before = await _counted(alone, **labels)

    async with _at(alone, await make_key(), peer) as alice:
        answers = [await alice.get(_READ) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [404, 404, 404, 429, 429]
    assert 50 <= int(answers[-1].headers["retry-after"]) <= 60
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2
    assert await _counted(alone, **labels) - before == 2
