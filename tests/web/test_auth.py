"""Keys: who may call, and for whom."""

import asyncio
import time
from datetime import timedelta

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role, Scope
from coordinator.domain.errors import ForbiddenError, InvalidFieldError, UnauthenticatedError
from coordinator.domain.keys import id_of, mint
from coordinator.operations.authenticate import Authenticator
from coordinator.settings import Settings
from tests.conftest import MakeKey, client_of
from tests.web.driving import a_file, opened, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_CACHE_SECONDS = 5.0
_ACT_AS = (Scope.ACT_AS,)


async def _refused(app: Litestar, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with client_of(app, None) as caller:
        answer = await caller.get("/api/uploads", headers=headers)
    assert (answer.status_code, answer.json()) == (401, problem(UnauthenticatedError))
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer ck_",
        "Bearer ck_a_b",
        "Bearer ck__",
        "Basic YWxpY2U6c2VjcmV0",
        "Bearer " + "x" * 10_000,
        "Bearer ck_" + "_" * 100,
        "Bearer " + mint(bytes(40)).text,
    ],
)
async def test_without_a_key_that_exists_nothing_is_answered(
    app: Litestar, header: str | None
) -> None:
    """None, no key at all, or one that is spelled right and was never given out."""
    await _refused(app, header)


async def test_a_key_with_another_secret_is_refused(app: Litestar, make_key: MakeKey) -> None:
    """The id alone proves nothing, also when its checksum was made to fit."""
    key_id = id_of(await make_key())
    assert key_id is not None
    forged = mint(bytes(40)).text.replace(mint(bytes(40)).key_id, key_id)
    fitting = mint(_bytes_of(key_id) + bytes(32))
    assert fitting.key_id == key_id

    await _refused(app, f"Bearer {forged}")
    await _refused(app, f"Bearer {fitting.text}")


def _bytes_of(key_id: str) -> bytes:
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    number = 0
    for letter in key_id.removeprefix("ck_"):
        number = number << 5 | letters.index(letter)
    return (number >> 1).to_bytes(8, "big")  # 13 letters hold 65 bits, a key's id 64


async def test_an_expired_key_is_refused(app: Litestar, make_key: MakeKey) -> None:
    """Its row says until when it is good."""
    await _refused(app, f"Bearer {await make_key(lifetime=timedelta(seconds=-1))}")


async def test_a_key_with_a_lifetime_is_good_until_then(app: Litestar, make_key: MakeKey) -> None:
    """The scheme's name is written in any case, as RFC 7235 wants."""
    key = await make_key(lifetime=timedelta(days=1))
    async with client_of(app, None) as caller:
        answer = await caller.get("/api/uploads", headers={"Authorization": f"bEARER {key}"})

    assert answer.status_code == 200


async def test_what_is_revoked_ends_within_five_seconds_in_every_process(
    app: Litestar, stores: Stores, settings: Settings, make_key: MakeKey
) -> None:
    """Who had it in mind may go on for as long; who had not refuses at once.

    So do a key that was rotated without a grace time, and the tokens of a revoked one.
    """
    key, rotated, admin = await make_key(), await make_key(), await make_key(roles=(Role.ADMIN,))
    async with client_of(app, key) as caller:
        body = a_file(1, uploadToken=True)
        made = (await caller.post("/api/upload/init", json=body)).json()
    path = f"/api/upload/status/{made['uploadId']}"
    credentials = [key, rotated, made["uploadToken"]]
    other_process = Authenticator(stores.pool, secret=settings.secret)
    async with client_of(app, None) as caller, client_of(app, admin) as owner:

        async def answered() -> set[int]:
            bearers = [{"Authorization": f"Bearer {text}"} for text in credentials]
            return {(await caller.get(path, headers=each)).status_code for each in bearers}

        assert await answered() == {200}

        ended = [
            await owner.delete(f"/api/keys/{id_of(key)}"),
            await owner.post(f"/api/keys/{id_of(rotated)}/rotate", json={"graceHours": 0}),
        ]
        revoked = time.monotonic()
        assert [each.status_code for each in ended] == [204, 201]

        for text in credentials:
            with pytest.raises(UnauthenticatedError):
                await other_process.caller(text)
        while await answered() != {401}:
            assert time.monotonic() - revoked < _CACHE_SECONDS + 0.5
            await asyncio.sleep(0.1)
    await _refused(app, f"Bearer {key}")


async def test_a_key_made_under_another_secret_is_refused(
    stores: Stores, make_key: MakeKey
) -> None:
    """Who can write the table alone cannot make keys."""
    authenticator = Authenticator(stores.pool, secret="another secret, as long as the first one")

    with pytest.raises(UnauthenticatedError):
        await authenticator.caller(await make_key())


async def test_naming_another_user_needs_the_scope(client: httpx.AsyncClient) -> None:
    """The own name is no other user."""
    other = await client.post("/api/upload/init", json=a_file(1, userId="bob"))
    own = await client.post("/api/upload/init", json=a_file(1, userId="alice"))

    assert (other.status_code, other.json()) == (
        403,
        problem(ForbiddenError, field="userId", scope="act-as"),
    )
    assert own.status_code == 201


async def test_a_backend_acts_for_users_who_then_own_the_upload(
    app: Litestar, client: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """It may go on with what they opened, too; other users see none of it."""
    async with (
        client_of(app, await make_key(user="backend", scopes=_ACT_AS)) as backend,
        client_of(app, await make_key(user="bob")) as bob,
    ):
        upload_id = await opened(backend, 1, userId="bob")
        path = f"/api/upload/status/{upload_id}"
        answers = [await caller.get(path) for caller in (backend, bob, client)]
        mine = await opened(client, 1)
        ended = await backend.delete(f"/api/uploads/{mine}")

    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert [answer.json()["userId"] for answer in answers[:2]] == ["bob", "bob"]
    assert ended.status_code == 204


@pytest.mark.parametrize("user", ["", "x" * 129, "a b", "bob\n", "a\x00b", "bäb", 7, None, ["bob"]])
async def test_a_user_id_has_a_plain_spelling(
    app: Litestar, make_key: MakeKey, user: object
) -> None:
    """It stands in answers and lists; null means the key's own user."""
    body = a_file(1) | {"userId": user}
    async with client_of(app, await make_key(user="backend", scopes=_ACT_AS)) as backend:
        answer = await backend.post("/api/upload/init", json=body)

    if user is None:
        assert answer.status_code == 201
    else:
        assert (answer.status_code, answer.json()) == (
            422,
            problem(InvalidFieldError, field="userId"),
        )
