"""How long uploads are kept: rules by purpose, what they would do, legal holds."""

from typing import Any, Final

import httpx
import pytest

from coordinator.adapters.stores import Stores
from coordinator.domain.errors import HeldError, InvalidFieldError, UploadNotFoundError
from coordinator.domain.uploads import Upload
from coordinator.operations.erase import erase
from coordinator.operations.expire_uploads import expire_uploads
from coordinator.operations.retain_uploads import retain_uploads
from tests.builders import row_of, rows, status, uuid_of
from tests.erasing import s3_client
from tests.localstack import S3Address
from tests.operations.endings import run_out
from tests.web.driving import NO_UPLOAD, Like, completed, opened, problem

_ON_SEAWEEDFS: Final = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)
_AGE: Final = """
UPDATE uploads SET finished_at = finished_at - make_interval(days => %s) WHERE id = %s RETURNING id
"""


def rule(purpose: str, days: int, action: str) -> dict[str, Any]:
    """Spell a rule as the API has it."""
    return {"purpose": purpose, "afterDays": days, "action": action}


async def aged(
    client: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores, days: int, **wish: Any
) -> str:
    """Complete an upload, so many days ago."""
    upload_id = await completed(client, s3_http, b"abc", **wish)
    await rows(stores.pool, _AGE, [days, uuid_of(upload_id)])
    return upload_id


async def statuses(client: httpx.AsyncClient, *upload_ids: str) -> list[int]:
    """Ask for each; 404 is what is left of those that are erased."""
    return [(await client.get(f"/api/upload/status/{each}")).status_code for each in upload_ids]


@_ON_SEAWEEDFS
async def test_rules_go_by_purpose_and_the_star_is_for_all_others(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, s3_http: httpx.AsyncClient, stores: Stores
) -> None:
    """The preview counts, the worker does it; what is too young or held stays."""
    rules = [rule("*", 10, "delete"), rule("training", 30, "delete")]
    assert (await admin.put("/api/retention", json={"rules": rules})).json()["rules"] == rules
    purposes = [{}, {"purpose": "retrieval"}, {"purpose": "training"}, {"purpose": "training"}]
    plain, retrieval, training, old = [
        await aged(client, s3_http, stores, days, metadata=metadata)
        for days, metadata in zip((11, 11, 11, 31), purposes, strict=True)
    ]
    young = await aged(client, s3_http, stores, 9)
    held = await aged(client, s3_http, stores, 11)
    assert (await admin.put(f"/api/uploads/{held}/hold", json={"case": "x"})).status_code == 200

    preview = (await admin.get("/api/retention/preview")).json()["due"]
    done = await retain_uploads(stores)
    seen = await statuses(client, plain, retrieval, training, old, young, held)
    await erase(stores)

    assert preview == [
        {"purpose": "*", "action": "delete", "uploads": 2, "bytes": 6},
        {"purpose": "training", "action": "delete", "uploads": 1, "bytes": 3},
    ]
    assert done == 3
    assert seen == [404, 404, 200, 404, 200, 200]
    listed = (await admin.get("/api/erasures")).json()["erasures"]
    assert sorted((e["uploadId"], e["cause"], e["status"]) for e in listed) == sorted(
        (each, "retention", "finished") for each in (plain, retrieval, old)
    )
    assert await retain_uploads(stores) == 0


async def test_archiving_tags_the_object_for_the_buckets_rule(
    client: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    s3_http: httpx.AsyncClient,
    stores: Stores,
    s3_server: S3Address,
) -> None:
    """It stays where it is for everybody, and is tagged once."""
    await admin.put("/api/retention", json={"rules": [rule("archive", 1, "archive")]})
    upload_id = await aged(client, s3_http, stores, 2)
    key = (await status(client, upload_id))["filePath"]

    done = [await retain_uploads(stores), await retain_uploads(stores)]

    s3 = s3_client(s3_server)
    tags = s3.get_object_tagging(Bucket=stores.bucket.name, Key=key)["TagSet"]
    s3.close()
    assert tags == [{"Key": "coordinator-archive", "Value": "true"}]
    assert done == [1, 0]
    assert (await row_of(stores.pool, upload_id)).archived_at is not None
    assert await statuses(client, upload_id) == [200]
    assert (await admin.get("/api/retention/preview")).json()["due"] == [
        {"purpose": "archive", "action": "archive", "uploads": 0, "bytes": 0}
    ]


@_ON_SEAWEEDFS
async def test_a_hold_is_seen_and_can_be_set_and_lifted_again_and_again(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, stores: Stores
) -> None:
    """The audit says when and by whom; of the case it says nothing, for it may name people."""
    upload_id = await opened(client, 3)
    hold = f"/api/uploads/{upload_id}/hold"

    for _ in "ab":
        assert (await admin.put(hold, json={"case": "Smith v. Corp"})).status_code == 200
    on_hold = (await status(client, upload_id))["onHold"]
    refused = await client.delete(f"/api/uploads/{upload_id}")
    lifted = [(await admin.delete(hold)).status_code for _ in "ab"]

    assert on_hold is True
    assert refused.json() == problem(HeldError, field="uploadId")
    assert lifted == [204, 204]
    assert (await status(client, upload_id))["onHold"] is False
    audited = "SELECT action, facts FROM audit WHERE upload_id = %s AND action LIKE %s ORDER BY id"
    assert await rows(stores.pool, audited, [uuid_of(upload_id), "hold.%"]) == [
        {"action": "hold.set", "facts": {}},
        {"action": "hold.lifted", "facts": {}},
    ]
    unknown = await admin.put(f"/api/uploads/{NO_UPLOAD}/hold", json={"case": "x"})
    assert unknown.json() == problem(UploadNotFoundError, field="uploadId")


@_ON_SEAWEEDFS
async def test_an_open_upload_expires_though_it_is_held(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, stores: Stores
) -> None:
    """Its parts are no object yet, and the bucket's own rule would drop them. The row stays."""
    upload_id = await opened(client, 3)
    await admin.put(f"/api/uploads/{upload_id}/hold", json={"case": "x"})
    await run_out(stores, upload_id)

    await expire_uploads(stores)

    seen: Upload = await row_of(stores.pool, upload_id)
    assert (seen.reason, seen.hold) == ("expired", "x")


@_ON_SEAWEEDFS
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rules": [rule("a", 1, "delete"), rule("a", 2, "delete")]}, "rules"),
        ({"rules": [rule("a", 0, "delete")]}, r"rules\[.*\]\.afterDays"),
        ({"rules": [rule("a\u0000", 1, "delete")]}, r"rules\[.*\]\.purpose"),
        ({"rules": [rule("a", 1, "burn")]}, r"rules\[.*\]\.action"),
    ],
)
async def test_rules_that_mean_nothing_are_refused(
    admin: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    """And the old ones stand."""
    kept = [rule("*", 7, "archive")]
    await admin.put("/api/retention", json={"rules": kept})

    answer = await admin.put("/api/retention", json=body)

    assert answer.json() == problem(InvalidFieldError, field=Like(field))
    assert (await admin.get("/api/retention")).json()["rules"] == kept


@_ON_SEAWEEDFS
async def test_changed_rules_are_audited(
    admin: httpx.AsyncClient, stores: Stores, tenant: str
) -> None:
    """As they are from then on."""
    await admin.put("/api/retention", json={"rules": [rule("*", 7, "archive")]})
    await admin.put("/api/retention", json={"rules": []})

    audited = "SELECT facts FROM audit WHERE tenant = %s AND action = %s ORDER BY id"
    assert await rows(stores.pool, audited, [tenant, "retention.changed"]) == [
        {"facts": {"rules": [["*", 7, "archive"]]}},
        {"facts": {"rules": []}},
    ]
