"""Erasing an upload or a user over the API: reports, holds, tenants."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from coordinator.adapters.stores import Stores
from coordinator.domain.access import Role
from coordinator.domain.errors import (
    ErasureNotFoundError,
    ForbiddenError,
    HeldError,
    InvalidFieldError,
    UploadNotFoundError,
)
from tests.builders import rows, uuid_of
from tests.conftest import MakeKey, client_of
from tests.web.driving import (
    CHUNK,
    NO_UPLOAD,
    TEXT,
    TIME,
    Like,
    completed,
    opened,
    problem,
    sent,
)
from tests.web.erasing import NOTHING, ask, finished

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


async def test_an_erasure_reports_what_was_removed(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    tenant: str,
) -> None:
    """Object and manifest, rows, queue entries; the tenant has its bytes back."""
    entries = "SELECT id FROM procrastinate_jobs"
    before = await rows(stores.pool, entries)
    upload_id = await completed(client, s3_http, b"abc")

    asked = await ask(admin, uploadId=upload_id)
    done = await finished(admin, stores, asked)

    assert done == asked | {
        "erasureId": Like(r"ers_[0-9a-hjkmnp-tv-z]{26}"),
        "status": "finished",
        "uploadId": upload_id,
        "userId": None,
        "cause": "request",
        "dryRun": False,
        "requestedBy": Like("ck_.+"),
        "requestedAt": TIME,
        "finishedAt": TIME,
        "report": NOTHING
        | {"uploads": 1, "objects": 2, "versions": 2, "bytes": done["report"]["bytes"]}
        | {"manifests": 1, "jobs": 1, "queueEntries": 1},
    }
    assert asked["report"] == NOTHING | {"remaining": 1}
    assert await rows(stores.pool, entries) == before
    used = await rows(stores.pool, "SELECT stored_bytes FROM usage WHERE tenant = %s", [tenant])
    assert used == [{"stored_bytes": 0}]
    audited = "SELECT action, facts FROM audit WHERE upload_id = %s AND action LIKE %s"
    assert await rows(stores.pool, audited, [uuid_of(upload_id), "upload.erased"]) == [
        {
            "action": "upload.erased",
            "facts": {"erasure": done["erasureId"], "objects": 2, "versions": 2, "jobs": 1},
        }
    ]


async def test_asking_again_is_the_same_erasure_until_it_is_done(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
) -> None:
    """Afterwards it is a new one that finds nothing, as of an upload that never was."""
    upload_id = await completed(client, s3_http, b"abc")

    first = await ask(admin, uploadId=upload_id)
    again = await ask(admin, uploadId=upload_id)
    await finished(admin, stores, first)
    later = await finished(admin, stores, await ask(admin, uploadId=upload_id))
    never = await finished(admin, stores, await ask(admin, uploadId=NO_UPLOAD))

    assert again == first
    assert later["erasureId"] != first["erasureId"]
    assert [later["report"], never["report"]] == [NOTHING, NOTHING]
    listed = (await admin.get("/api/erasures?limit=2")).json()
    rest = (await admin.get(f"/api/erasures?limit=2&cursor={listed['nextCursor']}")).json()
    told = [each["erasureId"] for each in (*listed["erasures"], *rest["erasures"])]
    assert told == [never["erasureId"], later["erasureId"], first["erasureId"]]
    assert rest["nextCursor"] is None


async def test_a_dry_run_counts_what_the_erasure_removes(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
) -> None:
    """And removes nothing: the user goes on meanwhile."""
    kept = await completed(client, s3_http, b"abc")
    half = await opened(client, CHUNK + 1)
    await sent(client, s3_http, half, {1: b"a"})

    rehearsed = await finished(admin, stores, await ask(admin, userId="alice", dryRun=True))
    seen = [(await client.get(f"/api/upload/status/{each}")).status_code for each in (kept, half)]
    done = await finished(admin, stores, await ask(admin, userId="alice"))

    assert rehearsed["report"] == done["report"]
    assert done["report"]["uploads"] == 2
    assert done["report"]["multiparts"] == 1
    assert seen == [200, 200]
    assert (rehearsed["userId"], done["userId"]) == ("alice", None)


async def test_what_is_held_keeps_its_user_from_being_forgotten(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    tenant: str,
) -> None:
    """The erasure ends with it in its report; once the hold is lifted, the rest can go."""
    held = await completed(client, s3_http, b"evidence")
    await completed(client, s3_http, b"abc")
    hold = f"/api/uploads/{held}/hold"
    assert (await admin.put(hold, json={"case": "2026-117"})).json() == {
        "uploadId": held,
        "case": "2026-117",
    }
    pseudonyms = "SELECT user_id FROM pseudonyms WHERE tenant = %s"

    refused = await admin.post("/api/erasures", json={"uploadId": held})
    first = await finished(admin, stores, await ask(admin, userId="alice"))
    kept = await rows(stores.pool, pseudonyms, [tenant])
    assert (await admin.delete(hold)).status_code == 204
    second = await finished(admin, stores, await ask(admin, userId="alice"))

    assert refused.json() == problem(HeldError, field="uploadId")
    assert (first["report"]["uploads"], first["report"]["held"]) == (1, [held])
    assert first["userId"] == "alice"
    assert {"user_id": "alice"} in kept
    assert (second["report"]["uploads"], second["report"]["held"]) == (1, [])
    assert {"user_id": "alice"} not in await rows(stores.pool, pseudonyms, [tenant])
    listed = (await admin.get("/api/erasures")).json()["erasures"]
    assert {each["userId"] for each in listed} == {None}


async def test_of_an_erased_user_the_sums_stay_and_keys_end(
    *,
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    make_key: MakeKey,
    tenant: str,
) -> None:
    """Another tenant's user of the same name is somebody else."""
    other = f"not-{tenant}"
    await make_key(tenant=other)
    await completed(client, s3_http, b"abc")
    counts = """
    SELECT user_id, sum(opened)::int AS opened, sum(completed)::int AS completed,
           sum(bytes)::int AS bytes FROM statistics WHERE tenant = %s GROUP BY user_id
    """

    await finished(admin, stores, await ask(admin, userId="alice"))

    sums = [{"user_id": "", "opened": 1, "completed": 1, "bytes": 3}]
    assert await rows(stores.pool, counts, [tenant]) == sums
    keys = "SELECT user_id, revoked_at IS NULL AS live FROM api_keys WHERE tenant = %s"
    assert sorted((k["user_id"], k["live"]) for k in await rows(stores.pool, keys, [tenant])) == [
        ("", False),
        ("root", True),
    ]
    assert await rows(stores.pool, keys, [other]) == [{"user_id": "alice", "live": True}]


@pytest.mark.parametrize(
    ("body", "refusal", "facts"),
    [
        ({}, InvalidFieldError, {"field": "uploadId"}),
        ({"uploadId": NO_UPLOAD, "userId": "bob"}, InvalidFieldError, {"field": "uploadId"}),
        ({"uploadId": "upl_x"}, UploadNotFoundError, {"field": "uploadId"}),
        ({"userId": "b\u0000b"}, InvalidFieldError, {"field": "userId"}),
    ],
)
async def test_an_erasure_names_one_thing(
    admin: httpx.AsyncClient, body: dict[str, Any], refusal: Any, facts: dict[str, Any]
) -> None:
    """And names it rightly."""
    answer = await admin.post("/api/erasures", json=body)

    assert answer.json() == problem(refusal, **facts)


async def test_another_tenants_erasures_and_uploads_are_out_of_reach(
    *,
    app: Litestar,
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    make_key: MakeKey,
    tenant: str,
) -> None:
    """Only who has every-tenant names another; an erasure by a stranger finds nothing."""
    upload_id = await completed(client, s3_http, b"abc")
    erasure = await ask(admin, userId="nobody")
    key = await make_key(user="eve", tenant=f"not-{tenant}", roles=(Role.ADMIN,))
    async with client_of(app, key) as eve:
        foreign = await eve.get(f"/api/erasures/{erasure['erasureId']}")
        named = await eve.post(f"/api/erasures?tenant={tenant}", json={"uploadId": upload_id})
        nothing = await finished(eve, stores, await ask(eve, uploadId=upload_id))

    assert foreign.json() == problem(ErasureNotFoundError, field="erasureId")
    assert named.json() == problem(ForbiddenError, field="tenant", scope="every-tenant")
    assert nothing["report"] == NOTHING
    assert (await client.get(f"/api/upload/status/{upload_id}")).status_code == 200
    assert (await admin.get("/api/erasures/ers_x")).json() == foreign.json() | {"requestId": TEXT}
