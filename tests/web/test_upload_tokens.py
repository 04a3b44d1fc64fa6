"""Upload tokens: a browser drives one upload with them, and does nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
import time_machine
from litestar import Litestar

from coordinator.adapters import keys
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role, Scope
from coordinator.domain.errors import (
    IdempotencyConflictError,
    RoleMissingError,
    UnauthenticatedError,
    UploadExpiredError,
    UploadNotFoundError,
    WrongPhaseError,
)
from coordinator.domain.keys import id_of
from coordinator.domain.upload_tokens import UploadToken, mint
from coordinator.operations.authenticate import Authenticator
from coordinator.settings import Settings
from tests.builders import rows, uuid_of
from tests.conftest import MakeKey, client_of
from tests.web.driving import (
    NO_UPLOAD,
    TIME,
    Like,
    a_file,
    complete,
    opened,
    problem,
    sent,
    sha256,
)

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_TOKEN: Final = Like(r"ut_[A-Za-z0-9_-]+~[A-Za-z0-9_-]{43}")
_DATA: Final = {0: b"abc"}


async def _handed_out(client: httpx.AsyncClient, **changes: Any) -> tuple[str, str]:
    answer = await client.post("/api/upload/init", json=a_file(3, uploadToken=True, **changes))
    assert answer.status_code == 201, answer.text
    return answer.json()["uploadId"], answer.json()["uploadToken"]


async def _renewed(client: httpx.AsyncClient, upload_id: str) -> httpx.Response:
    return await client.post(f"/api/uploads/{upload_id}/token")


@pytest.fixture
async def backend(app: Litestar, make_key: MakeKey) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key of a backend, which uploads for users that it names."""
    async with client_of(app, await make_key(user="backend", scopes=(Scope.ACT_AS,))) as caller:
        yield caller


@pytest.fixture
def check(stores: Stores, settings: Settings) -> Authenticator:
    """A process that remembers nobody yet."""
    return Authenticator(stores.pool, secret=settings.secret)


async def test_a_page_uploads_with_a_token_alone(
    app: Litestar, backend: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """Sign, send, report, watch, complete, and complete again: for the user who was named."""
    upload_id, token = await _handed_out(backend, userId="bob")
    async with client_of(app, token) as page:
        await sent(page, s3_http, upload_id, _DATA)
        body = {"uploadId": upload_id, "chunkIndex": 0}
        reported = await page.post("/api/upload/chunk", json=body)
        answers = [await complete(page, upload_id) for _ in "ab"]
        status = await page.get(f"/api/upload/status/{upload_id}?verify=true")

    assert token == _TOKEN
    assert reported.status_code == 200
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].json()["manifest"] == answers[1].json()["manifest"]
    assert (status.json()["status"], status.json()["userId"]) == ("COMPLETED", "bob")


async def test_a_page_gives_its_upload_up(app: Litestar, client: httpx.AsyncClient) -> None:
    """And may say so twice; afterwards nothing is signed any more."""
    upload_id, token = await _handed_out(client)
    async with client_of(app, token) as page:
        ended = [await page.delete(f"/api/uploads/{upload_id}") for _ in "ab"]
        chunks = [{"chunkIndex": 0, "sha256": sha256(b"abc")}]
        late = await page.post("/api/upload/urls", json={"uploadId": upload_id, "chunks": chunks})

    assert [each.status_code for each in ended] == [204, 204]
    assert (late.status_code, late.json()["code"]) == (409, "wrong-phase")


async def test_a_token_does_nothing_else(app: Litestar, client: httpx.AsyncClient) -> None:
    """No list, no file, no key, no other token, not even of its own upload."""
    upload_id, token = await _handed_out(client)
    own = f"/api/uploads/{upload_id}"
    requests = [
        ("POST", "/api/upload/init", a_file(3)),
        ("GET", "/api/uploads", None),
        ("GET", f"{own}/manifest", None),
        ("GET", f"{own}/jobs", None),
        ("GET", f"{own}/download", None),
        ("POST", f"{own}/token", None),
        ("GET", "/api/keys", None),
        ("POST", "/api/keys", {"name": "x"}),
    ]
    async with client_of(app, token) as page:
        answers = [await page.request(how, path, json=body) for how, path, body in requests]

    for answer in answers:
        refused = problem(RoleMissingError, roles=answer.json()["roles"])
        assert (answer.status_code, answer.json()) == (403, refused)
        assert Role.TOKEN not in answer.json()["roles"]


async def test_other_uploads_look_like_none_at_all(
    app: Litestar, client: httpx.AsyncClient
) -> None:
    """Also those of the same user, and of the same key."""
    _, token = await _handed_out(client)
    other = await opened(client, 3)
    chunks = [{"chunkIndex": 0, "sha256": sha256(b"abc")}]
    async with client_of(app, token) as page:
        told = [
            [
                await page.post("/api/upload/urls", json={"uploadId": each, "chunks": chunks}),
                await page.post("/api/upload/chunk", json={"uploadId": each, "chunkIndex": 0}),
                await complete(page, each),
                await page.get(f"/api/upload/status/{each}"),
                await page.get(f"/api/uploads/{each}/events"),
                await page.delete(f"/api/uploads/{each}"),
            ]
            for each in (other, NO_UPLOAD, "upl_x")
        ]

    refused = problem(UploadNotFoundError, field="uploadId")
    for answers in told:
        assert [(each.status_code, each.json()) for each in answers] == [(404, refused)] * 6
    assert (await client.get(f"/api/upload/status/{other}")).json()["status"] == "INIT"


async def test_whoever_holds_a_key_renews_while_the_upload_is_open(
    app: Litestar,
    client: httpx.AsyncClient,
    backend: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    make_key: MakeKey,
) -> None:
    """The owner or a backend, and nobody else; the tokens before are good all the same."""
    upload_id, first = await _handed_out(client)
    renewed = [await _renewed(caller, upload_id) for caller in (client, backend)]
    async with (
        client_of(app, await make_key(user="bob")) as bob,
        client_of(app, await make_key(user="bob", roles=(Role.VIEWER,))) as viewer,
    ):
        refused = [await _renewed(caller, upload_id) for caller in (bob, viewer)]
    seen = []
    for token in (first, *(each.json()["uploadToken"] for each in renewed)):
        async with client_of(app, token) as page:
            seen.append((await page.get(f"/api/upload/status/{upload_id}")).status_code)
    await sent(client, s3_http, upload_id, _DATA)
    assert (await complete(client, upload_id)).status_code == 200
    late = await _renewed(client, upload_id)

    answer = {"uploadId": upload_id, "uploadToken": _TOKEN, "uploadTokenExpiresAt": TIME}
    assert [(each.status_code, each.json()) for each in renewed] == [(200, answer)] * 2
    assert renewed[0].headers["cache-control"] == "no-store"
    assert [each.status_code for each in refused] == [404, 403]
    assert seen == [200] * 3
    over = problem(WrongPhaseError, phase="COMPLETED", reason=None)
    assert (late.status_code, late.json()) == (409, over)


async def test_a_resumed_upload_has_a_token_while_it_is_open(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient
) -> None:
    """The Idempotency-Key compares bodies, and asking for a token is part of one."""
    headers = {"Idempotency-Key": "a-page"}
    body = a_file(3, uploadToken=True)
    first, again = [await client.post("/api/upload/init", json=body, headers=headers) for _ in "ab"]
    other = await client.post("/api/upload/init", json=a_file(3), headers=headers)
    await sent(client, s3_http, first.json()["uploadId"], _DATA)
    await complete(client, first.json()["uploadId"])
    over = await client.post("/api/upload/init", json=body, headers=headers)

    assert (again.status_code, again.json()["uploadId"]) == (200, first.json()["uploadId"])
    for answer in (first, again):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["uploadToken"] == _TOKEN
        assert answer.json()["uploadTokenExpiresAt"] == TIME
    refused = problem(IdempotencyConflictError, field="Idempotency-Key")
    assert (other.status_code, other.json()) == (422, refused)
    assert over.json()["status"] == "COMPLETED"
    assert [over.json()[name] for name in ("uploadToken", "uploadTokenExpiresAt")] == [None, None]


async def test_a_token_ends_with_its_upload_at_the_latest(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    """After an hour unless told, by Postgres' clock, and never after the upload's deadline."""
    upload_id, _ = await _handed_out(client)
    asked = datetime.now(UTC)
    with time_machine.travel(asked + timedelta(hours=2), tick=True):
        usual = (await _renewed(client, upload_id)).json()["uploadTokenExpiresAt"]
    async with stores.pool.connection() as conn:
        soon = "UPDATE uploads SET deadline = clock_timestamp() + interval '9 s' WHERE id = %s"
        await conn.execute(soon, [uuid_of(upload_id)])
    short = (await _renewed(client, upload_id)).json()["uploadTokenExpiresAt"]
    async with stores.pool.connection() as conn:
        over = "UPDATE uploads SET deadline = clock_timestamp() WHERE id = %s"
        await conn.execute(over, [uuid_of(upload_id)])
    late = await _renewed(client, upload_id)

    lives = [datetime.fromisoformat(each) - asked for each in (usual, short)]
    assert timedelta(minutes=59) < lives[0] < timedelta(minutes=61)
    assert timedelta(seconds=5) < lives[1] < timedelta(seconds=12)
    assert (late.status_code, late.json()) == (410, problem(UploadExpiredError))


def _token(upload_id: str, settings: Settings, *, expires: float, **changes: Any) -> str:
    whole = UploadToken(
        upload_id=uuid_of(upload_id),
        expires=int(expires),
        tenant=changes.pop("tenant"),
        user_id=changes.pop("user_id", "alice"),
        maker=changes.pop("maker", "usr_somebody"),
    )
    return mint(whole, secret=settings.secret)


async def test_a_token_expires_by_postgres_clock_and_is_not_remembered_beyond(
    app: Litestar, client: httpx.AsyncClient, settings: Settings, tenant: str
) -> None:
    """A host whose clock is wrong ends it neither early nor late."""
    upload_id = await opened(client, 3)
    ends = int(time.time()) + 2
    short = _token(upload_id, settings, expires=ends, tenant=tenant)
    old = _token(upload_id, settings, expires=ends - 3, tenant=tenant)
    path = f"/api/upload/status/{upload_id}"
    async with client_of(app, short) as page, client_of(app, old) as late:
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=2), tick=True):
            ahead = await page.get(path)
        with time_machine.travel(datetime.now(UTC) - timedelta(hours=2), tick=True):
            behind = await late.get(path)
        while (last := await page.get(path)).status_code == 200:
            assert time.time() < ends + 1
            await asyncio.sleep(0.05)

    assert time.time() >= ends - 0.1
    assert (ahead.status_code, behind.status_code) == (200, 401)
    assert (last.status_code, last.json()) == (401, problem(UnauthenticatedError))


async def test_a_token_is_of_an_upload_that_is_there(
    client: httpx.AsyncClient,
    check: Authenticator,
    settings: Settings,
    stores: Stores,
    tenant: str,
) -> None:
    """In its tenant, of its user, and not about to be erased."""
    upload_id = await opened(client, 3)
    hour = time.time() + 3600
    good = _token(upload_id, settings, expires=hour, tenant=tenant)
    bad = [
        _token(NO_UPLOAD, settings, expires=hour, tenant=tenant),
        _token(upload_id, settings, expires=hour, tenant="other"),
        _token(upload_id, settings, expires=hour, tenant=tenant, user_id="bob"),
        _token(upload_id, settings, expires=hour, tenant=tenant, maker="ck_aaaaaaaaaaaaa"),
        good[:-1],
        good.replace("~", "."),
        good + good,
    ]
    caller = await check.caller(good)
    for text in bad:
        with pytest.raises(UnauthenticatedError):
            await check.caller(text)
    async with stores.pool.connection() as conn:
        hidden = "UPDATE uploads SET erasing_since = clock_timestamp() WHERE id = %s"
        await conn.execute(hidden, [uuid_of(upload_id)])
    with pytest.raises(UnauthenticatedError):
        await Authenticator(stores.pool, secret=settings.secret).caller(good)

    assert (caller.tenant, caller.user_id) == (tenant, "alice")
    assert list(caller.roles) == [Role.TOKEN]
    assert (caller.actor, caller.scopes) == ("usr_somebody via upload-token", frozenset())
    assert caller.upload_id == uuid_of(upload_id)


async def test_a_revoked_keys_tokens_end_with_it_and_a_rotated_keys_do_not(
    app: Litestar, make_key: MakeKey, stores: Stores, settings: Settings
) -> None:
    """Revoking is for a key that leaked: what it made must end, too. Rotating is peaceful."""
    revoked, rotated = await make_key(), await make_key()
    tokens = []
    for key in (revoked, rotated):
        async with client_of(app, key) as holder:
            tokens.append((await _handed_out(holder))[1])
    async with stores.pool.connection() as conn:
        assert await keys.revoke(conn, id_of(revoked) or "")
        ended = (
            "UPDATE api_keys SET expires_at = clock_timestamp(), replaced_by = 'x' WHERE id = %s"
        )
        await conn.execute(ended, [id_of(rotated)])

    check = Authenticator(stores.pool, secret=settings.secret)
    with pytest.raises(UnauthenticatedError):
        await check.caller(tokens[0])
    assert (await check.caller(tokens[1])).roles == {Role.TOKEN}


async def test_the_audit_knows_who_made_the_token_and_that_one_was_used(
    app: Litestar, client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The actor is the key; that somebody had its token is a fact; the token is nowhere."""
    upload_id, token = await _handed_out(client)
    renewed = (await _renewed(client, upload_id)).json()
    async with client_of(app, token) as page:
        await sent(page, s3_http, upload_id, _DATA)
        await complete(page, upload_id)

    found = await rows(
        stores.pool,
        "SELECT action, actor, facts FROM audit WHERE upload_id = %s ORDER BY id",
        [uuid_of(upload_id)],
    )
    actor = id_of(client.headers["authorization"].removeprefix("Bearer "))
    expires = datetime.fromisoformat(renewed["uploadTokenExpiresAt"]).timestamp()
    assert [(row["action"], row["facts"]) for row in found] == [
        ("upload.opened", {"token": "issued"}),
        ("token.issued", {"expires": expires}),
        ("upload.completed", {"via": "upload-token"}),
    ]
    assert {row["actor"] for row in found} == {actor}
    assert token not in str(found)


async def test_a_backend_lists_one_users_uploads_and_others_find_their_own_only(
    app: Litestar, client: httpx.AsyncClient, backend: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """Nothing tells a user whether another one has any."""
    bobs, _ = await _handed_out(backend, userId="bob")
    mine = await opened(client, 3)

    async def listed(caller: httpx.AsyncClient, user: str) -> tuple[int, list[str]]:
        answer = await caller.get("/api/uploads", params={"userId": user})
        return answer.status_code, [each["uploadId"] for each in answer.json()["uploads"]]

    async with client_of(app, await make_key(user="v", roles=(Role.VIEWER,))) as viewer:
        seen = [await listed(caller, "bob") for caller in (backend, viewer, client)]
        seen += [await listed(caller, "alice") for caller in (backend, client)]
    unknown = await listed(client, "nobody")

    assert seen == [(200, [bobs]), (200, [bobs]), (200, []), (200, [mine]), (200, [mine])]
    assert unknown == (200, [])
