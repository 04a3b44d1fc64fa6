"""The audit as an admin takes it out: whole, page by page, and proven."""

import json
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from psycopg import sql

from coordinator.adapters import audit
from coordinator.adapters.postgres import transaction
from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role, Scope
from coordinator.domain.audit_chain import FIRST
from coordinator.domain.errors import ForbiddenError, InvalidFieldError
from coordinator.domain.keys import id_of
from coordinator.operations.chain_audit import chain_audit
from coordinator.operations.verify_audit import verify_export
from coordinator.settings import Settings
from coordinator.web.audit import NEXT
from tests.builders import rows, uuid_of
from tests.conftest import MakeKey, client_of
from tests.web.driving import completed, opened, problem

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_PATH: Final = "/api/audit"


async def _note(stores: Stores, tenant: str, count: int) -> None:
    async with transaction(stores.pool) as tx:
        for number in range(count):
            await audit.append(tx, "quota.changed", tenant=tenant, actor="ck_1", number=number)


async def _pages(admin: httpx.AsyncClient, **params: Any) -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        answer = await admin.get(_PATH, params={**params, **more})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        pages.append([json.loads(line) for line in answer.content.splitlines()])
        cursor = answer.headers.get(NEXT)
    return pages


async def test_every_row_is_given_out_with_its_place(
    admin: httpx.AsyncClient, stores: Stores, settings: Settings, tenant: str
) -> None:
    """Over pages, without one twice or left out; what is not chained yet comes last."""
    await _note(stores, tenant, 250)
    await chain_audit(stores, settings.s3_prefix)
    await _note(stores, tenant, 130)

    pages = await _pages(admin, limit=100)

    exported = [row for page in pages for row in page]
    noted = [row for row in exported if row["action"] == "quota.changed"]
    places = [row["position"] for row in exported if "position" in row]
    assert [len(page) for page in pages] == [100, 100, 50 + 50, 80 + 3]  # the exports, too
    assert [row["facts"]["number"] for row in noted] == [*range(250), *range(130)]
    assert places == [*range(1, len(places) + 1)]
    assert len(places) >= 250
    assert exported[0]["previous"] == FIRST.hex()
    assert {row["tenant"] for row in exported} == {tenant}


async def test_what_was_exported_can_be_proven_elsewhere(
    admin: httpx.AsyncClient, stores: Stores, settings: Settings, tenant: str
) -> None:
    """The file has all that it takes, also where it begins later."""
    await _note(stores, tenant, 3)
    async with transaction(stores.pool) as tx:
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("UPDATE audit SET at = at - interval '1 day' WHERE tenant = %s", [tenant])
    await _note(stores, tenant, 2)
    await chain_audit(stores, settings.s3_prefix)
    since = await rows(stores.pool, sql.SQL("SELECT now() - interval '1 hour' AS at"))

    whole = (await admin.get(_PATH)).content.splitlines()
    part = (await admin.get(_PATH, params={"since": since[0]["at"].isoformat()})).content
    found: list[str] = []
    told = [
        verdict
        for lines in (whole, part.splitlines())
        for verdict in verify_export(lines, {}, lambda _tenant, finding: found.append(finding.says))
    ]

    assert found == []
    assert [(verdict.first, verdict.chained) for verdict in told] == [(1, 5), (4, 2)]


async def test_an_export_is_noted(
    admin: httpx.AsyncClient, admin_key: str, stores: Stores, tenant: str
) -> None:
    """By whom, and how much."""
    await _note(stores, tenant, 2)

    await admin.get(_PATH)

    query = sql.SQL(
        "SELECT actor, facts FROM audit WHERE action = 'audit.exported' AND tenant = {}"
    )
    assert await rows(stores.pool, query.format(sql.Literal(tenant))) == [
        {
            "actor": id_of(admin_key),
            "facts": {"rows": 2, "after_position": 0, "to_position": 0},
        }
    ]


async def test_another_tenants_audit_needs_the_scope(
    app: Litestar, admin: httpx.AsyncClient, make_key: MakeKey, stores: Stores
) -> None:
    """An admin is one of its tenant."""
    other = f"t{uuid4().hex[:12]}"
    await _note(stores, other, 1)
    installer_key = await make_key(roles=(Role.ADMIN,), scopes=(Scope.EVERY_TENANT,))

    refused = await admin.get(_PATH, params={"tenant": other})
    async with client_of(app, installer_key) as installer:
        answer = await installer.get(_PATH, params={"tenant": other})
        wrong = await installer.get(_PATH, params={"tenant": "a\x00b"})

    assert (refused.status_code, refused.json()) == (
        403,
        problem(ForbiddenError, field="tenant", scope="every-tenant"),
    )
    assert [json.loads(line)["tenant"] for line in answer.content.splitlines()] == [other]
    assert (wrong.status_code, wrong.json()) == (422, problem(InvalidFieldError, field="tenant"))


@pytest.mark.parametrize(
    "cursor", ["x", "AAAAAAAAAAAAAAAAAAAAAA=", "_" * 21 + "w==", "é", "A" * 100]
)
async def test_a_cursor_of_nobodys_is_refused(admin: httpx.AsyncClient, cursor: str) -> None:
    """It is opaque, and checked."""
    answer = await admin.get(_PATH, params={"cursor": cursor})

    assert (answer.status_code, answer.json()) == (422, problem(InvalidFieldError, field="cursor"))


async def test_the_way_of_an_upload_is_noted_with_pseudonyms(
    admin: httpx.AsyncClient,
    app: Litestar,
    make_key: MakeKey,
    s3_http: httpx.AsyncClient,
) -> None:
    """Who, what, about whom; never a name of a person or a file."""
    key = await make_key(user="alice.liddell")
    async with client_of(app, key) as alice:
        upload_id = await completed(alice, s3_http, b"{}\n", fileName="wonderland.jsonl")
        await alice.get(f"/api/uploads/{upload_id}/download")
        aborted = await opened(alice, 1, fileName="wonderland.jsonl")
        await alice.delete(f"/api/uploads/{aborted}")

    text = (await admin.get(_PATH)).text
    noted = [json.loads(line) for line in text.splitlines()]
    of_uploads = [row for row in noted if row["uploadId"] is not None]
    assert [(row["action"], row["uploadId"]) for row in of_uploads] == [
        ("upload.opened", upload_id),
        ("upload.completed", upload_id),
        ("upload.downloaded", upload_id),
        ("upload.opened", aborted),
        ("upload.aborted", aborted),
    ]
    assert {row["actor"] for row in of_uploads} == {id_of(key)}
    [subject] = {row["subject"] for row in of_uploads}
    assert subject.startswith("usr_")
    assert "liddell" not in text
    assert "wonderland" not in text


async def test_expired_credentials_do_not_hide_in_the_export(
    app: Litestar, admin: httpx.AsyncClient, make_key: MakeKey
) -> None:
    """Whoever still uses a key that has ended is found here."""
    ended = await make_key(lifetime=timedelta(seconds=-1))
    async with client_of(app, ended) as late:
        assert (await late.get("/api/uploads")).status_code == 401

    noted = [json.loads(line) for line in (await admin.get(_PATH)).text.splitlines()]

    assert [(row["action"], row["actor"], row["facts"]) for row in noted] == [
        ("access.refused", id_of(ended), {"route": "/api/uploads", "code": "unauthenticated"})
    ]


async def test_what_was_done_to_one_upload_can_be_looked_at(
    admin: httpx.AsyncClient,
    client: httpx.AsyncClient,
    installer: httpx.AsyncClient,
    stores: Stores,
    settings: Settings,
) -> None:
    """Chained or not, in order, and without places: out of its chain a row proves nothing."""
    upload_id = await opened(client, 3)
    await opened(client, 4)
    await chain_audit(stores, settings.s3_prefix)
    await client.delete(f"/api/uploads/{upload_id}")

    looked = [
        json.loads(line)
        for line in (await admin.get(_PATH, params={"uploadId": upload_id})).content.splitlines()
    ]
    again = (await admin.get(_PATH, params={"uploadId": upload_id})).content.splitlines()
    elsewhere = await installer.get(_PATH, params={"uploadId": upload_id})

    assert {row["uploadId"] for row in looked} == {upload_id}
    assert [row["action"] for row in looked] == ["upload.opened", "upload.aborted"]
    assert not any("position" in row for row in looked)
    noted = json.loads(again[-1])
    assert (noted["action"], noted["facts"]) == ("audit.exported", {"rows": 2})
    assert (elsewhere.status_code, elsewhere.content) == (200, b"")


async def test_many_rows_of_one_upload_come_in_pages(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """Each once; the look at the first page is noted behind it."""
    upload_id = await opened(client, 3)
    async with transaction(stores.pool) as tx:
        for number in range(150):
            await audit.append(
                tx,
                "quota.changed",
                tenant=tenant,
                actor="ck_1",
                upload_id=uuid_of(upload_id),
                number=number,
            )

    pages = await _pages(admin, uploadId=upload_id, limit=100)

    numbers = [row["facts"].get("number") for page in pages for row in page]
    assert [each for each in numbers if each is not None] == [*range(150)]
    assert [len(page) for page in pages] == [100, 52]


@pytest.mark.parametrize("upload_id", ["upl_x", "job_00000000000000000000000001", "\x00", ""])
async def test_what_is_no_upload_is_refused(admin: httpx.AsyncClient, upload_id: str) -> None:
    """An empty answer would look like one about which nothing was noted."""
    refused = await admin.get(_PATH, params={"uploadId": upload_id})

    assert (refused.status_code, refused.json()) == (
        422,
        problem(InvalidFieldError, field="uploadId"),
    )
