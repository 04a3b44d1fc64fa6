"""Refused access is noted, once a minute, and nobody can fill the table by it."""

import time
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar
from psycopg import OperationalError, sql

from coordinator.adapters import keys
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.domain.errors import ForbiddenError, RoleMissingError, UnauthenticatedError
from coordinator.domain.keys import id_of
from coordinator.operations import note_refusal
from coordinator.operations.note_refusal import Bearer, Refusals
from coordinator.telemetry import REGISTRY
from tests.builders import rows
from tests.captured_logs import captured
from tests.conftest import MakeKey, client_of
from tests.web.driving import NO_UPLOAD, a_file

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_NOTED: Final = sql.SQL(
    "SELECT actor, subject IS NOT NULL AS of, facts FROM audit"
    " WHERE action = 'access.refused' AND tenant = {} ORDER BY id"
)


async def _noted(stores: Stores, tenant: str) -> list[tuple[str, bool, dict[str, Any]]]:
    found = await rows(stores.pool, _NOTED.format(sql.Literal(tenant)))
    return [(row["actor"], row["of"], row["facts"]) for row in found]


def _counted(code: str) -> float:
    return REGISTRY.get_sample_value("refused_requests_total", {"code": code}) or 0.0


async def test_a_guards_and_a_handlers_refusal_are_noted(
    app: Litestar, stores: Stores, make_key: MakeKey, tenant: str
) -> None:
    """The route is its template: what stands in a path is nobody's business."""
    key = await make_key(roles=(Role.UPLOADER,))
    async with client_of(app, key) as client:
        answers = [
            await client.get("/api/audit"),
            await client.post("/api/upload/init", json=a_file(1, userId="bob")),
            await client.get(f"/api/uploads/{NO_UPLOAD}/manifest"),
        ]

    assert [answer.status_code for answer in answers] == [403, 403, 404]
    assert await _noted(stores, tenant) == [
        (id_of(key), True, {"route": "/api/audit", "code": RoleMissingError.code}),
        (id_of(key), True, {"route": "/api/upload/init", "code": ForbiddenError.code}),
    ]


async def test_a_thousand_refusals_are_one_row_a_minute(stores: Stores, tenant: str) -> None:
    """The next row tells how many were left out."""
    now = 1_000.0
    refusals = Refusals(stores.pool, elapsed=lambda: now)
    bearer = Bearer("ck_1", tenant, "alice")
    before = _counted("role-missing")
    for _ in range(1_000):
        await refusals.note(bearer, route="/api/audit", code="role-missing")
    await refusals.note(bearer, route="/api/keys", code="role-missing")
    now += 60.0

    await refusals.note(bearer, route="/api/audit", code="role-missing")

    fact = {"route": "/api/audit", "code": "role-missing"}
    assert await _noted(stores, tenant) == [
        ("ck_1", True, fact),
        ("ck_1", True, {"route": "/api/keys", "code": "role-missing"}),
        ("ck_1", True, {**fact, "left_out": 999}),
    ]
    assert _counted("role-missing") - before == 1_002


async def test_what_is_kept_in_mind_has_bounds(
    stores: Stores, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond them refusals are counted only, until a minute has passed."""
    now = 1_000.0
    refusals = Refusals(stores.pool, elapsed=lambda: now)
    monkeypatch.setattr(note_refusal, "_MOST", 3)
    for number in range(5):
        await refusals.note(Bearer(f"ck_{number}", tenant), route="/r", code="role-missing")
    now += 60.0

    await refusals.note(Bearer("ck_9", tenant), route="/r", code="role-missing")

    actors = [actor for actor, _, _ in await _noted(stores, tenant)]
    assert actors == ["ck_0", "ck_1", "ck_2", "ck_9"]


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_key_that_has_ended_is_noted_in_its_tenant(
    app: Litestar, stores: Stores, make_key: MakeKey, tenant: str, how: str
) -> None:
    """Somebody still has it. Who sends it hears the same as with any other key."""
    key = await make_key()
    key_id = id_of(key)
    assert key_id is not None
    async with stores.pool.connection() as conn:
        if how == "revoked":
            await keys.revoke(conn, key_id)
        else:
            await conn.execute(
                "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = %s", [key_id]
            )
    async with client_of(app, key) as ended, client_of(app, None) as nobody:
        unknown = {"Authorization": f"Bearer {await _unknown(make_key, stores)}"}
        answers = [
            (await ended.get("/api/uploads")).json(),
            (await nobody.get("/api/uploads", headers=unknown)).json(),
        ]

    for answer in answers:
        answer.pop("requestId")
    assert answers[0] == answers[1]
    assert answers[0]["code"] == UnauthenticatedError.code
    assert await _noted(stores, tenant) == [
        (key_id, True, {"route": "/api/uploads", "code": UnauthenticatedError.code})
    ]


async def _unknown(make_key: MakeKey, stores: Stores) -> str:
    key = await make_key(tenant="elsewhere")
    async with stores.pool.connection() as conn:
        await conn.execute("DELETE FROM api_keys WHERE id = %s", [id_of(key)])
    return key


async def test_who_only_knows_a_keys_id_leaves_no_row(
    app: Litestar, stores: Stores, make_key: MakeKey, tenant: str
) -> None:
    """Ids stand in lists and logs: nobody writes into a tenant's audit by them."""
    key, other = await make_key(), await make_key()
    key_id = id_of(key)
    assert key_id is not None
    async with stores.pool.connection() as conn:
        await conn.execute(
            "UPDATE api_keys SET hash = (SELECT hash FROM api_keys WHERE id = %s),"
            " revoked_at = now() WHERE id = %s",
            [id_of(other), key_id],
        )
    before = _counted("unauthenticated")

    with captured(note_refusal) as logs:
        async with client_of(app, key) as forger, client_of(app, None) as nobody:
            answers = [await forger.get("/api/uploads"), await nobody.get("/api/uploads")]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert await _noted(stores, tenant) == []
    assert _counted("unauthenticated") - before == 2
    told = {"route": "/api/uploads", "code": "unauthenticated", "log_level": "info"}
    assert [line for line in logs if line["event"] == "refused"] == [
        {"event": "refused", **told}
    ] * 2


async def test_a_refusal_is_answered_when_it_cannot_be_noted(
    app: Litestar, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres may go away between the two."""

    async def away(*_: object, **__: object) -> None:
        raise OperationalError

    key = await make_key(user=f"u{time.monotonic_ns()}")
    monkeypatch.setattr("coordinator.adapters.audit.append", away)
    async with client_of(app, key) as client:
        answer: httpx.Response = await client.get("/api/audit")

    assert (answer.status_code, answer.json()["code"]) == (403, RoleMissingError.code)
