"""Admins make, list, rotate and revoke the keys of their tenant, and of no other."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role, Scope
from coordinator.domain.errors import (
    ForbiddenError,
    InvalidFieldError,
    KeyNotFoundError,
    KeyRotatedError,
)
from coordinator.domain.keys import hash_of, id_of, mint, number_of
from coordinator.operations.authenticate import Authenticator
from coordinator.settings import Settings
from tests.builders import rows
from tests.conftest import MakeKey, client_of
from tests.web.driving import TIME, Like, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

KEY_ID: Final = Like("ck_[a-z2-7]{13}")
NO_KEY: Final = "ck_aaaaaaaaaaaaa"


async def _made(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/api/keys", json={"name": "nightly", **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _works(app: Litestar, key: str) -> bool:
    async with client_of(app, key) as caller:
        return (await caller.get("/api/uploads")).status_code == 200


async def test_a_key_is_shown_once_and_works(
    app: Litestar, admin: httpx.AsyncClient, stores: Stores, settings: Settings, tenant: str
) -> None:
    """No list shows its text or its hash, and no proxy keeps the answer."""
    body = {"name": "Nächtlich", "userId": "importer", "roles": ["viewer", "uploader", "viewer"]}
    answer = await admin.post("/api/keys", json={**body, "scopes": ["act-as"], "expiresInDays": 30})
    made = answer.json()
    listed = await admin.get("/api/keys")

    shown = {
        "keyId": KEY_ID,
        "name": "Nächtlich",
        "tenant": tenant,
        "userId": "importer",
        "roles": ["uploader", "viewer"],
        "scopes": ["act-as"],
        "createdAt": TIME,
        "createdBy": KEY_ID,
        "lastUsedAt": None,
        "expiresAt": TIME,
        "revokedAt": None,
        "replacedBy": None,
    }
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert made == shown | {"key": Like("ck_[a-z2-7]{13}_[a-z2-7]{59}")}
    assert id_of(made["key"]) == made["keyId"]
    assert listed.json()["keys"][0] == shown
    stored = hash_of(made["key"], secret=settings.secret)
    assert await _column(stores, "hash", made["keyId"]) == stored
    for secret in (made["key"], stored.hex(), made["key"].split("_")[2]):
        assert secret not in listed.text
    assert await _works(app, made["key"])


async def _column(stores: Stores, name: str, key_id: str) -> Any:
    (row,) = await rows(stores.pool, "SELECT * FROM api_keys WHERE id = %s", [key_id])
    return row[name]


async def test_the_last_use_is_noted_once_a_minute(
    admin: httpx.AsyncClient, stores: Stores, settings: Settings
) -> None:
    """In the statement that looks the key up, which waits for nobody: here the row is held."""
    made = await _made(admin)

    async def use() -> datetime | None:
        await Authenticator(stores.pool, secret=settings.secret).caller(made["key"])
        used: datetime | None = await _column(stores, "last_used_at", made["keyId"])
        return used

    async with stores.pool.connection() as conn, conn.transaction():
        await conn.execute("SELECT 1 FROM api_keys WHERE id = %s FOR UPDATE", [made["keyId"]])
        async with asyncio.timeout(2):
            held = await use()
    first, second = await use(), await use()
    earlier = "UPDATE api_keys SET last_used_at = last_used_at - interval '61 s' WHERE id = %s"
    async with stores.pool.connection() as conn:
        await conn.execute(earlier, [made["keyId"]])
    third = await use()

    assert held is None
    assert first is not None
    assert third is not None
    assert second == first < third


async def test_a_wrong_secret_is_no_use_of_the_key(
    admin: httpx.AsyncClient, app: Litestar, stores: Stores
) -> None:
    """Whoever tries keys out must not make an old one look alive."""
    made = await _made(admin)
    fitting = mint(number_of(made["keyId"]).bytes[:8] + bytes(32))
    assert fitting.key_id == made["keyId"]

    assert not await _works(app, fitting.text)
    assert await _column(stores, "last_used_at", made["keyId"]) is None


async def test_a_list_is_read_page_by_page(admin: httpx.AsyncClient) -> None:
    """Newest first, each key once, the revoked ones too."""
    made = [(await _made(admin, name=f"k{at}"))["keyId"] for at in range(3)]
    assert (await admin.delete(f"/api/keys/{made[1]}")).status_code == 204

    pages: list[list[str]] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = (await admin.get("/api/keys", params=params)).json()
        pages.append([key["keyId"] for key in answer["keys"]])
        cursor = answer["nextCursor"]
        if cursor is None:
            break

    assert [len(page) for page in pages] == [2, 2]
    assert [*pages[0], *pages[1]][:3] == made[::-1]
    refused = await admin.get("/api/keys", params={"cursor": "x"})
    assert (refused.status_code, refused.json()) == (
        422,
        problem(InvalidFieldError, field="cursor"),
    )


async def test_a_rotated_key_goes_on_for_a_while_and_its_heir_is_good_for_the_same(
    app: Litestar, admin: httpx.AsyncClient, stores: Stores
) -> None:
    """24 hours unless told: time to change over."""
    body = {"userId": "bob", "roles": ["viewer"], "scopes": ["act-as"], "expiresInDays": 30}
    old = await _made(admin, **body)

    answer = await admin.post(f"/api/keys/{old['keyId']}/rotate")
    new = answer.json()

    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert new == old | {"keyId": KEY_ID, "key": new["key"], "createdAt": TIME}
    assert new["keyId"] != old["keyId"]
    assert [await _works(app, key["key"]) for key in (old, new)] == [True, True]
    assert await _column(stores, "replaced_by", old["keyId"]) == new["keyId"]
    left = await rows(
        stores.pool,
        "SELECT expires_at - clock_timestamp() AS left FROM api_keys WHERE id = %s",
        [old["keyId"]],
    )
    assert timedelta(hours=23, minutes=59) < left[0]["left"] <= timedelta(hours=24)


async def test_a_key_is_rotated_once(admin: httpx.AsyncClient) -> None:
    """A second heir would be one that nobody knows of."""
    old = await _made(admin)
    new = (await admin.post(f"/api/keys/{old['keyId']}/rotate", json={"graceHours": 1})).json()

    again = [await admin.post(f"/api/keys/{old['keyId']}/rotate", json={}) for _ in "ab"]

    refused = problem(KeyRotatedError, field="keyId", replacedBy=new["keyId"])
    assert [(each.status_code, each.json()) for each in again] == [(409, refused)] * 2


async def test_two_rotations_at_once_make_one_key(
    admin: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """The loser is told which one it was."""
    old = await _made(admin)

    answers = await asyncio.gather(*(admin.post(f"/api/keys/{old['keyId']}/rotate") for _ in "abc"))

    assert sorted(each.status_code for each in answers) == [201, 409, 409]
    counted = "SELECT count(*) AS n FROM api_keys WHERE tenant = %s AND name = 'nightly'"
    assert await rows(stores.pool, counted, [tenant]) == [{"n": 2}]


async def test_a_rotation_without_grace_ends_the_old_key(
    admin: httpx.AsyncClient, stores: Stores
) -> None:
    """And never gives a key a longer life than it had."""
    old = await _made(admin)
    short = await _made(admin, expiresInDays=1)

    await admin.post(f"/api/keys/{old['keyId']}/rotate", json={"graceHours": 0})
    await admin.post(f"/api/keys/{short['keyId']}/rotate", json={"graceHours": 720})

    ends = "SELECT expires_at <= clock_timestamp() AS ended FROM api_keys WHERE id = %s"
    assert await rows(stores.pool, ends, [old["keyId"]]) == [{"ended": True}]
    listed = (await admin.get("/api/keys")).json()["keys"]
    (found,) = [key for key in listed if key["keyId"] == short["keyId"]]
    assert found["expiresAt"] == short["expiresAt"]


async def test_what_is_revoked_expired_or_unknown_looks_the_same(
    admin: httpx.AsyncClient, installer: httpx.AsyncClient, stores: Stores
) -> None:
    """Keys of other tenants do not exist, either."""
    revoked, expired = await _made(admin), await _made(admin)
    foreign = await _made(installer)
    first = await admin.delete(f"/api/keys/{revoked['keyId']}")
    async with stores.pool.connection() as conn:
        ended = "UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = %s"
        await conn.execute(ended, [expired["keyId"]])

    ids = [revoked["keyId"], foreign["keyId"], NO_KEY, "ck_", "%00", "ck_aaaaaaaaaaaaa'", "a" * 999]
    answers = [await admin.delete(f"/api/keys/{key_id}") for key_id in ids]
    answers += [await admin.post(f"/api/keys/{key_id}/rotate") for key_id in ids]
    answers.append(await admin.post(f"/api/keys/{expired['keyId']}/rotate"))

    assert first.status_code == 204
    refused = problem(KeyNotFoundError, field="keyId")
    assert [(each.status_code, each.json()) for each in answers] == [(404, refused)] * len(answers)


async def test_nobody_gives_what_is_above_them(
    admin: httpx.AsyncClient, make_key: MakeKey, tenant: str
) -> None:
    """Neither by making a key, nor by rotating one, nor in another tenant."""
    great = await make_key(user="installer", roles=(Role.ADMIN,), scopes=(Scope.EVERY_TENANT,))

    made = await admin.post("/api/keys", json={"name": "x", "scopes": ["every-tenant"]})
    rotated = await admin.post(f"/api/keys/{id_of(great)}/rotate")
    elsewhere = [
        await admin.post("/api/keys?tenant=other", json={"name": "x"}),
        await admin.get("/api/keys?tenant=other"),
        await admin.post(f"/api/keys/{NO_KEY}/rotate?tenant=other"),
        await admin.delete(f"/api/keys/{NO_KEY}?tenant=other"),
    ]
    own = await admin.get(f"/api/keys?tenant={tenant}")

    scope = problem(ForbiddenError, field="scopes", scope="every-tenant")
    assert [(each.status_code, each.json()) for each in (made, rotated)] == [(403, scope)] * 2
    foreign = problem(ForbiddenError, field="tenant", scope="every-tenant")
    assert [(each.status_code, each.json()) for each in elsewhere] == [(403, foreign)] * 4
    assert own.status_code == 200


async def test_an_installers_key_reaches_every_tenant(
    installer: httpx.AsyncClient, tenant: str
) -> None:
    """It makes a tenant's first admin, and another installer."""
    params = {"tenant": tenant}
    body = {"name": "first", "roles": ["admin"], "scopes": ["every-tenant"]}
    made = (await installer.post("/api/keys", params=params, json=body)).json()
    listed = (await installer.get("/api/keys", params=params)).json()["keys"]
    rotated = await installer.post(f"/api/keys/{made['keyId']}/rotate", params=params)
    ended = await installer.delete(f"/api/keys/{made['keyId']}", params=params)

    assert (made["tenant"], listed[0]["keyId"]) == (tenant, made["keyId"])
    assert (rotated.status_code, ended.status_code) == (201, 204)
    assert rotated.json()["scopes"] == ["every-tenant"]
    bad = await installer.get("/api/keys", params={"tenant": "../x"})
    assert (bad.status_code, bad.json()) == (422, problem(InvalidFieldError, field="tenant"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 129),
        ("name", "a\nb"),
        ("name", "\x1b[31m"),
        ("name", "a\u2028b"),
        ("userId", ""),
        ("userId", ".."),
        ("userId", "a b"),
        ("userId", "a\n"),
        ("userId", "x" * 65),
        ("roles", []),
        ("roles[0]", "upload-token"),
        ("roles[0]", "root"),
        ("scopes[0]", "root"),
        ("expiresInDays", 0),
        ("expiresInDays", 3651),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(
    admin: httpx.AsyncClient, field: str, value: object
) -> None:
    """Nobody is granted to be a token; names stand in logs and lists."""
    name, _, place = field.partition("[")

    answer = await admin.post("/api/keys", json={"name": "x", name: [value] if place else value})

    shown = Like(rf"{name}(\[.*\])?")
    assert (answer.status_code, answer.json()) == (422, problem(InvalidFieldError, field=shown))


async def test_the_audit_has_a_row_for_each_and_no_key(
    admin: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Ids, roles and scopes; whom it is about is a pseudonym."""
    made = await _made(admin, userId="bob", scopes=["act-as"])
    new = (await admin.post(f"/api/keys/{made['keyId']}/rotate", json={"graceHours": 2})).json()
    await admin.delete(f"/api/keys/{made['keyId']}")
    await admin.delete(f"/api/keys/{made['keyId']}")

    found = await rows(
        stores.pool,
        "SELECT action, actor, subject, facts FROM audit WHERE tenant = %s AND action ~ '^key'"
        " ORDER BY id",
        [tenant],
    )
    facts = {"key_id": made["keyId"], "roles": ["uploader"], "scopes": ["act-as"]}
    actor = id_of(admin.headers["authorization"].removeprefix("Bearer "))
    assert [(row["action"], row["facts"]) for row in found] == [
        ("key.created", facts),
        ("key.rotated", facts | {"replaced_by": new["keyId"], "grace_seconds": 7200}),
        ("key.revoked", facts),
    ]
    assert {row["actor"] for row in found} == {actor}
    assert [row["subject"] for row in found] == [Like("usr_[0-9a-f]{32}")] * 3
    for key in (made["key"], new["key"]):
        assert key not in str(found)
