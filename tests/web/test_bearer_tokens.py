"""Bearer tokens of issuers as callers: who they are to us, and until when."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import jwt
import msgspec
import pytest
import time_machine
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain import errors
from coordinator.domain.access import Role
from coordinator.settings import Settings
from tests.builders import rows
from tests.conftest import MakeKey, client_of
from tests.issuer import KEYS, Issuer, an_issuer, settings_of
from tests.sdk.installation import free_port
from tests.web.driving import NO_UPLOAD, a_file, opened, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_SHARED: Final = "the secret of our own backend, 64 bytes of it or a little more, for HS512 too"
_BACKEND: Final = "our-backend"
_RSA: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
_KIDS: Final = {"ES256": "two", "ES384": "three", "ES512": "four", "EdDSA": "five"}
_ASYMMETRIC: Final = dict.fromkeys(_RSA, "one") | _KIDS


@pytest.fixture(scope="module")
async def login() -> AsyncIterator[Issuer]:
    """An issuer that names tenants and our roles."""
    async with an_issuer("RS256", "ES256", "ES384", "ES512", "EdDSA") as issuer:
        yield issuer


@pytest.fixture(scope="module")
async def other() -> AsyncIterator[Issuer]:
    """One with groups of its own, whose times are taken literally; it signs access tokens."""
    async with an_issuer(number=10) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def settings(settings: Settings, login: Issuer, other: Issuer) -> Settings:
    """The module's settings, with issuers; one of them was never there."""
    away = f"http://127.0.0.1:{free_port()}"
    shared = {
        "issuer": _BACKEND,
        "audience": ["coordinator", "files"],
        "algorithms": ["HS256", "HS384", "HS512"],
        "secret": _SHARED,
        "tenant": "backends",
        "default_roles": ["uploader"],
    }
    issuers = [
        settings_of(login, algorithms=list(_ASYMMETRIC), tenant=..., tenant_claim="org"),
        settings_of(
            other,
            algorithms=["RS256"],
            tenant="others",
            user_claim="email",
            roles_claim="realm_access.roles",
            roles={"data-team": "uploader", "sre": "operator"},
            leeway_seconds=0,
            token_type="at+jwt",
            required_claims=["client_id"],
        ),
        settings_of(login, issuer=away, algorithms=["RS256"]),
        shared,
    ]
    return msgspec.structs.replace(settings, issuers=msgspec.json.encode(issuers).decode())


def _of_other(other: Issuer, **changes: Any) -> str:
    usual = {"email": "eve@example.com", "realm_access": {"roles": ["data-team"]}}
    return other.token(header={"typ": "at+jwt"}, **{"client_id": "pages", **usual, **changes})


def _of_backend(algorithm: str = "HS256", *, secret: str = _SHARED, **changes: Any) -> str:
    now = int(time.time())
    usual = {"iss": _BACKEND, "aud": "files", "sub": "batch", "iat": now, "exp": now + 60}
    return jwt.encode({**usual, **changes}, secret, algorithm=algorithm)


async def _answer(app: Litestar, token: str) -> httpx.Response:
    async with client_of(app, token) as caller:
        return await caller.get("/api/uploads")


async def _status(app: Litestar, token: str) -> int:
    return (await _answer(app, token)).status_code


async def _refused(app: Litestar, token: str) -> None:
    answer = await _answer(app, token)
    assert (answer.status_code, answer.json()) == (401, problem(errors.UnauthenticatedError))
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("algorithm", sorted(_ASYMMETRIC))
async def test_a_token_of_each_algorithm_opens_an_upload(
    app: Litestar, login: Issuer, tenant: str, algorithm: str
) -> None:
    """With the key as published, and the upload is the token's user's."""
    token = login.token(_ASYMMETRIC[algorithm], algorithm=algorithm, org=tenant)
    async with client_of(app, token) as dora:
        upload_id = await opened(dora, 1)
        listed = (await dora.get("/api/uploads")).json()["uploads"]

    assert [(each["uploadId"], each["userId"]) for each in listed] == [(upload_id, "dora")]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_shared_secret_proves_tokens_of_the_issuer_that_has_one(
    app: Litestar, login: Issuer, tenant: str, algorithm: str
) -> None:
    """And of no other: with the very same secret, another issuer's token is refused."""
    async with client_of(app, _of_backend(algorithm)) as backend:
        await opened(backend, 1)

    await _refused(app, _of_backend(algorithm, iss=login.url, org=tenant))
    await _refused(app, _of_backend(algorithm, secret=_SHARED[::-1]))


async def test_users_see_their_own_and_a_viewer_the_tenants(
    app: Litestar, login: Issuer, tenant: str
) -> None:
    """As it is with keys; another tenant sees nothing."""
    clients = {
        "dora": client_of(app, login.token(org=tenant)),
        "emil": client_of(app, login.token(org=tenant, sub="emil")),
        "vera": client_of(app, login.token(org=tenant, sub="vera", roles=["viewer"])),
        "stranger": client_of(app, login.token(org=f"{tenant}-2", roles=["admin"])),
    }
    upload_id = await opened(clients["dora"], 1)
    seen = {
        name: (await client.get(f"/api/upload/status/{upload_id}")).status_code
        for name, client in clients.items()
    }
    started = await clients["vera"].post("/api/upload/init", json=a_file(1))
    for client in clients.values():
        await client.aclose()

    assert seen == {"dora": 200, "emil": 404, "vera": 200, "stranger": 404}
    assert started.json() == problem(errors.RoleMissingError, roles=["uploader"])


async def test_a_token_and_a_key_of_one_user_are_one_user(
    app: Litestar, login: Issuer, tenant: str, make_key: MakeKey
) -> None:
    """Who began in a page goes on with a script."""
    async with client_of(app, await make_key(user="dora")) as script:
        upload_id = await opened(script, 1)
    async with client_of(app, login.token(org=tenant)) as page:
        assert (await page.get(f"/api/upload/status/{upload_id}")).status_code == 200


async def test_settings_say_which_claims_make_the_caller(app: Litestar, other: Issuer) -> None:
    """A fixed tenant, the address as user, groups by a map."""
    async with client_of(app, _of_other(other, roles=["admin"])) as eve:
        upload_id = await opened(eve, 1)
        listed = (await eve.get("/api/uploads")).json()["uploads"]
    operator = _of_other(other, email="oz@example.com", realm_access={"roles": ["sre"]})
    async with client_of(app, operator) as oz:
        aborted = await oz.delete(f"/api/uploads/{upload_id}")

    assert {each["userId"] for each in listed} == {"eve@example.com"}
    assert aborted.status_code in {202, 204}


@pytest.mark.parametrize("roles", [..., [], ["unknown"], ["upload-token"], "act-as every-tenant"])
async def test_a_proven_user_without_a_role_may_do_nothing(
    app: Litestar, login: Issuer, tenant: str, roles: object
) -> None:
    """403, because whoever it is is known."""
    async with client_of(app, login.token(org=tenant, roles=roles)) as nobody:
        answers = [
            await nobody.post("/api/upload/init", json=a_file(1)),
            await nobody.get(f"/api/upload/status/{NO_UPLOAD}"),
            await nobody.delete(f"/api/uploads/{NO_UPLOAD}"),
        ]

    assert [each.json()["code"] for each in answers] == ["role-missing"] * 3


async def test_no_token_gives_a_scope(app: Litestar, login: Issuer, tenant: str) -> None:
    """However an issuer calls it: acting for others needs a key."""
    token = login.token(org=tenant, scope="act-as every-tenant", scopes=["act-as"], scp=["act-as"])
    async with client_of(app, token) as dora:
        answer = await dora.post("/api/upload/init", json=a_file(1, userId="emil"))

    assert answer.json() == problem(errors.ForbiddenError, field="userId", scope="act-as")


async def test_the_audit_has_a_pseudonym(
    app: Litestar, stores: Stores, login: Issuer, tenant: str
) -> None:
    """The same for each token of the user, and never the user's name."""
    for number in range(2):
        async with client_of(app, login.token(org=tenant, sub="doramaria", jti=str(number))) as d:
            await opened(d, 1)
    found = await rows(stores.pool, "SELECT * FROM audit WHERE tenant = %s", [tenant])

    assert len(found) == 2
    assert len({row["actor"] for row in found}) == 1
    assert found[0]["actor"].startswith("usr_")
    assert "doramaria" not in str(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"typ": "JWT"}},
        {"header": {"typ": ""}},
        {"header": {"typ": "at+jwt"}, "client_id": ...},
        {"header": {"typ": "at+jwt"}, "client_id": None},
        {"header": {"typ": "at+jwt"}, "email": ...},
        {"header": {"typ": "at+jwt"}, "sub": ...},
        {"header": {"typ": "at+jwt"}, "sub": 7},
    ],
)
async def test_what_settings_require_of_a_token_is_required(
    app: Litestar, other: Issuer, changes: dict[str, Any]
) -> None:
    """An identity token is no access token, where the operator says so."""
    good = {"email": "eve@example.com", "client_id": "pages", "realm_access": {"roles": []}}

    await _refused(app, other.token(**{**good, **changes}))


async def test_the_leeway_is_the_settings(app: Litestar, login: Issuer, other: Issuer) -> None:
    """30 s unless told otherwise, in both directions."""
    now = int(time.time())

    assert await _status(app, login.token(org="t", iat=now - 600, exp=now - 20)) == 200
    assert await _status(app, login.token(org="t", iat=now + 20)) == 200
    await _refused(app, login.token(org="t", iat=now - 600, exp=now - 40))
    await _refused(app, login.token(org="t", iat=now + 40))
    await _refused(app, _of_other(other, iat=now - 600, exp=now - 2))


async def test_a_caller_is_not_remembered_for_longer_than_its_token_is_good(
    app: Litestar, other: Issuer
) -> None:
    """5 s are for what does not expire."""
    ends = time.time() + 1.2
    token = _of_other(other, exp=ends)
    async with client_of(app, token) as eve:
        assert (await eve.get("/api/uploads")).status_code == 200
        while (await eve.get("/api/uploads")).status_code == 200:
            assert time.time() < ends + 0.5
            await asyncio.sleep(0.05)
    await _refused(app, token)


@pytest.mark.parametrize("hours", [-2, 2])
async def test_the_databases_clock_decides_when_the_hosts_is_wrong(
    app: Litestar, login: Issuer, hours: int
) -> None:
    """As it does for everything else."""
    token = login.token(org="t", jti=str(hours))
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours), tick=True):
        assert await _status(app, token) == 200


async def test_a_rotated_key_is_found_and_a_withdrawn_one_is_not(
    app: Litestar, login: Issuer, tenant: str
) -> None:
    """Nobody restarts the service for that; the issuer is asked twice and not for every token."""
    assert await _status(app, login.token(org=tenant)) == 200
    before = len(login.fetches)
    login.add_key("rotated", "RS256", number=5)

    for number in range(5):
        token = login.token("rotated", org=tenant, jti=str(number))
        assert await _status(app, token) == 200
        await _refused(app, login.token(org=tenant, header={"kid": f"made-up-{number}"}))
    assert login.fetches[before:].count(KEYS) == 1


async def test_an_issuer_that_is_away_makes_its_callers_wait_and_nobody_else(
    app: Litestar, settings: Settings, login: Issuer, tenant: str, make_key: MakeKey
) -> None:
    """503 with Retry-After: the token may be good. Keys and other issuers go on."""
    away = msgspec.json.decode(settings.issuers)[2]["issuer"]
    answer = await _answer(app, login.token(iss=away))

    assert (answer.status_code, answer.json()) == (503, problem(errors.UnavailableError))
    assert int(answer.headers["retry-after"]) >= 1
    assert await _status(app, await make_key(roles=(Role.VIEWER,))) == 200
    assert await _status(app, login.token(org=tenant)) == 200
